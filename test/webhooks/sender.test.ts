import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { Sender, type SenderOptions } from '../../worker/webhooks/sender.ts'
import { patient } from '../support/patience.ts'

describe('Sender', () => {
  const servers: Server[] = []
  const senders: Sender[] = []
  afterEach(() => {
    for (const sender of senders.splice(0)) sender.close()
    for (const server of servers.splice(0)) server.close().closeAllConnections()
  })

  async function serve(
    listener: RequestListener,
    host = '127.0.0.1',
    port = 0,
  ): Promise<{ port: number; hits: string[] }> {
    const hits: string[] = []
    const server = createServer((request, response) => {
      hits.push(`${request.method} ${request.url}`)
      request.resume().on('end', () => listener(request, response))
    })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(port, host, resolve))
    return { port: (server.address() as AddressInfo).port, hits }
  }

  function sender(options: Pick<SenderOptions, 'url'> & Partial<SenderOptions>): Sender {
    const made = new Sender({ timeoutMs: 2000, concurrency: 5, allowPrivate: true, ...options })
    senders.push(made)
    return made
  }

  const local = (port: number, options: Partial<SenderOptions> = {}) =>
    sender({ url: `http://127.0.0.1:${port}/hook`, ...options })
  const send = (to: Sender) => to.send('{}', { 'content-type': 'application/json' })

  for (const [status, outcome] of [
    [200, 'delivered'],
    [202, 'delivered'],
    [204, 'delivered'],
    [400, 'rejected'],
    [404, 'rejected'],
    [410, 'gone'],
    [500, 'rejected'],
    [503, 'rejected'],
  ] as const)
    it(`calls ${status} ${outcome}`, async () => {
      const { port } = await serve((_request, response) => void response.writeHead(status).end())

      expect(await send(local(port))).to.deep.equal({ outcome, status })
    })

  it('follows no redirect', async () => {
    const inner = await serve((_request, response) => void response.end())
    const { port } = await serve((_request, response) => {
      response.writeHead(307, { location: `http://127.0.0.1:${inner.port}/inner` }).end()
    })

    expect(await send(local(port))).to.deep.equal({ outcome: 'rejected', status: 307 })
    expect(inner.hits).to.deep.equal([])
  })

  it('hears when the receiver wants to be asked again', async () => {
    const { port } = await serve((_request, response) => void response.writeHead(503, { 'retry-after': '7' }).end())

    expect(await send(local(port))).to.deep.equal({ outcome: 'rejected', status: 503, retryAfterMs: 7000 })
  })

  it('hears it also where the receiver names a date, by the clock of the receiver', async () => {
    const { port } = await serve((_request, response) => {
      const [date, later] = ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 08:49:44 GMT']
      response.writeHead(503, { date, 'retry-after': later }).end()
    })

    expect(await send(local(port))).to.deep.equal({ outcome: 'rejected', status: 503, retryAfterMs: 7000 })
  })

  it('waits for no answer longer than its timeout, wherever it stops', async () => {
    const silent = await serve(() => {})
    const dripping = await serve((_request, response) => {
      response.writeHead(200)
      const timer = setInterval(() => response.write('.'), 10)
      response.once('close', () => clearInterval(timer))
    })
    const startedAt = performance.now()

    const outcomes = await Promise.all([
      send(local(silent.port, { timeoutMs: 200 })),
      send(local(dripping.port, { timeoutMs: 200 })),
      send(sender({ url: 'http://slow.example/', timeoutMs: 200, resolve: () => new Promise(() => {}) })),
    ])

    expect(outcomes).to.deep.equal([
      { outcome: 'timeout' },
      { outcome: 'delivered', status: 200 },
      { outcome: 'timeout' },
    ])
    expect(performance.now() - startedAt).to.be.below(patient(1500))
  })

  it('reads no endless answer', async () => {
    let written = 0
    const { port } = await serve((_request, response) => {
      response.writeHead(200)
      const chunk = Buffer.alloc(64 * 1024)
      const push = () => {
        while (!response.destroyed && response.write(chunk)) written += chunk.length
      }
      response.on('drain', push)
      push()
    })

    expect(await send(local(port, { timeoutMs: 10_000 }))).to.deep.equal({ outcome: 'delivered', status: 200 })
    // What the sockets' buffers take, not what the receiver would like to send.
    expect(written).to.be.below(32 * 1024 * 1024)
  })

  it('calls a receiver unreachable that refuses, hangs up, speaks no HTTP, or has no name', async () => {
    const { port: cut } = await serve((request) => void request.socket.destroy())
    const { port: babble } = await serve((request) => void request.socket.end('hello\r\n\r\n'))
    const closed = await serve(() => {})
    await new Promise((resolve) => servers.at(-1)?.close(resolve))
    const noName = sender({ url: 'http://nobody.invalid/', resolve: () => Promise.reject(new Error('ENOTFOUND')) })
    const noTls = sender({ url: `https://127.0.0.1:${cut}/` })

    for (const to of [local(cut), local(babble), local(closed.port), noName, noTls])
      expect(await send(to)).to.deep.equal({ outcome: 'unreachable' })
  })

  it('uses a connection again, and a new one where the receiver has closed it meanwhile', async () => {
    const ports: (number | undefined)[] = []
    const { port } = await serve((request, response) => {
      ports.push(request.socket.remotePort)
      response.end()
    })
    const to = local(port)

    expect(await send(to)).to.deep.equal({ outcome: 'delivered', status: 200 })
    expect(await send(to)).to.deep.equal({ outcome: 'delivered', status: 200 })
    servers.at(-1)?.closeAllConnections()
    expect(await send(to)).to.deep.equal({ outcome: 'delivered', status: 200 })
    expect(ports[1]).to.equal(ports[0])
    expect(ports[2]).to.not.equal(ports[0])
  })

  describe('without leave for private addresses', () => {
    const strict = { allowPrivate: false }

    it('connects to no address of this machine or its networks, however it is written', async () => {
      const { port, hits } = await serve((_request, response) => void response.end())
      const hosts = [
        '127.0.0.1',
        '2130706433',
        '0x7f.1',
        '0',
        '[::1]',
        '[::ffff:127.0.0.1]',
        '169.254.169.254',
        '10.0.0.1',
      ]

      for (const host of [...hosts, 'localhost'])
        expect(await send(sender({ url: `http://${host}:${port}/`, ...strict })), host).to.deep.equal({
          outcome: 'refused_address',
        })
      expect(hits).to.deep.equal([])
    })

    it('refuses names that resolve to such addresses', async () => {
      const answering = (...addresses: string[]) =>
        sender({
          url: 'http://hook.example/',
          ...strict,
          resolve: async () => addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
        })

      for (const address of ['10.1.2.3', '169.254.169.254', 'fd00:ec2::254', '::ffff:10.0.0.1', '::1'])
        expect(await send(answering(address)), address).to.deep.equal({ outcome: 'refused_address' })
      expect(await send(answering())).to.deep.equal({ outcome: 'refused_address' })
    })

    it('connects to the very address that it has checked, whatever the name says a moment later', async () => {
      // Two addresses of loopback play the internet and the inside: 127.0.0.2 counts as public here.
      const outside = await serve((_request, response) => {
        response.setHeader('connection', 'close')
        response.end()
      }, '127.0.0.2')
      const inside = await serve((_request, response) => void response.end(), '127.0.0.1', outside.port)
      let asked = 0
      const to = sender({
        url: `http://rebinding.example:${outside.port}/`,
        isAllowed: (address) => address === '127.0.0.2',
        // A name that is public for who checks and private for who connects.
        resolve: async () => [{ address: asked++ % 2 === 0 ? '127.0.0.2' : '127.0.0.1', family: 4 }],
      })

      expect(await send(to)).to.deep.equal({ outcome: 'delivered', status: 200 })
      expect(asked, 'look-ups for one connection').to.equal(1)
      expect(await send(to)).to.deep.equal({ outcome: 'refused_address' })
      expect(await send(to)).to.deep.equal({ outcome: 'delivered', status: 200 })
      expect(outside.hits).to.have.length(2)
      expect(inside.hits).to.deep.equal([])
    })

    it('skips the private addresses of a mixed answer', async () => {
      const outside = await serve((_request, response) => void response.end(), '127.0.0.2')
      const inside = await serve((_request, response) => void response.end(), '127.0.0.1', outside.port)
      const to = sender({
        url: `http://mixed.example:${outside.port}/`,
        isAllowed: (address) => address === '127.0.0.2',
        resolve: async () => ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 })),
      })

      expect(await send(to)).to.deep.equal({ outcome: 'delivered', status: 200 })
      expect(inside.hits).to.deep.equal([])
    })
  })

  it('asks for a name once where several requests want it at the same time', async () => {
    const { port } = await serve((_request, response) => void response.end())
    let asked = 0
    const to = sender({
      url: `http://hook.example:${port}/`,
      resolve: async () => {
        asked++
        return [{ address: '127.0.0.1', family: 4 }]
      },
    })

    const outcomes = await Promise.all(Array.from({ length: 5 }, () => send(to)))

    expect(outcomes.every(({ outcome }) => outcome === 'delivered')).to.equal(true)
    expect(asked).to.equal(1)
  })
})
