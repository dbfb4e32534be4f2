/** `make up` and `make down` as somebody at a terminal meets them. */
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { get } from 'node:https'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import type { IceServersResponse } from '../../core/protocol/http.ts'
import type { ClusterDescription } from '../../dev/cluster/description.ts'
import { findFreePort } from '../../dev/cluster/ports.ts'
import { type Postgres, startPostgres } from '../../dev/cluster/postgres.ts'
import { identify } from '../../dev/cluster/process-identity.ts'
import { type Redis, startRedis } from '../../dev/cluster/redis.ts'
import { eventually } from '../support/eventually.ts'
import { mintToken } from '../support/tokens.ts'
import { type CheckoutCopy, type Command, copyCheckout, processesOf } from './checkout-copy.ts'

const NOBODY = 65_534
const OWN_SECRET = 'a secret of one’s own that is long enough'
const isRoot = process.getuid?.() === 0
/** Somebody else can run Node only where it is not hidden in root's home. */
const canBeSomebodyElse = isRoot && spawnSync(process.execPath, ['-v'], { uid: NOBODY, gid: NOBODY }).status === 0

function describedIn({ path }: CheckoutCopy): ClusterDescription {
  return JSON.parse(readFileSync(join(path, '.run', 'cluster.json'), 'utf8')) as ClusterDescription
}

function pidsOf({ edge, gateways, api, workers, redis, postgres, turn }: ClusterDescription): number[] {
  return [edge, ...gateways, ...api, ...workers, redis, postgres, ...(turn ? [turn] : [])].map((part) => part?.pid ?? 0)
}

async function expectNothingLeft(checkout: CheckoutCopy, pids: number[]): Promise<void> {
  await eventually(() => {
    expect(pids.filter((pid) => identify(pid) !== undefined)).to.deep.equal([])
    expect(processesOf(checkout.path)).to.deep.equal([])
  })
}

/** The cluster takes a request with a token of its own. */
async function expectService(checkout: CheckoutCopy, port: number): Promise<void> {
  const user = randomUUID()
  const token = (await checkout.makeToEnd('token', { user })).output.trim()
  const response = await fetch(`http://localhost:${port}/api/v1/presence/status/${user}`, {
    headers: { authorization: `Bearer ${token}` },
  })
  expect(response.status, await response.text()).to.equal(200)
}

/** Under a home that is closed to others, as root's often is. */
describe('make up', function () {
  this.timeout(120_000)
  let checkout: CheckoutCopy
  let port: number
  let running: Command
  let stores: [Postgres, Redis] | [] = []

  before(async () => {
    checkout = copyCheckout({ mode: 0o700 })
    port = await findFreePort()
    running = checkout.make('up', { PORT: String(port), GATEWAYS: '1' })
    await running.printed(`ready: http://localhost:${port}\n`)
  })

  after(async () => {
    await checkout.remove()
    for (const store of stores) await store.stop()
  })

  it('says how to get a token, and such a token works', async () => {
    await running.printed('make token user=<uuid>')
    await expectService(checkout, port)
  })

  it('shows each process’s lines behind its name', () => {
    expect(running.output()).to.match(/^gateway-1 +\| \{.*\}$/m)
    expect(running.output()).to.match(/^api-1 +\| \{.*\}$/m)
  })

  it('keeps its secrets for its owner', () => {
    for (const file of ['cluster.json', 'token-key.json', 'redis.conf']) {
      expect(statSync(join(checkout.path, '.run', file)).mode & 0o077, file).to.equal(0)
    }
  })

  it('lets nobody into Redis without its password, which no list of processes shows', async () => {
    const { redis } = describedIn(checkout)
    const { password } = new URL(redis.url)
    const answerTo = async (commands: string) => {
      const socket = connect(redis.port, '127.0.0.1')
      socket.end(commands)
      return await text(socket)
    }

    expect(await answerTo('PING\r\n')).to.match(/^-NOAUTH /)
    expect(await answerTo(`AUTH ${password}\r\nPING\r\n`)).to.equal('+OK\r\n+PONG\r\n')
    expect(password).to.have.length.above(20)
    expect(readFileSync(`/proc/${redis.pid}/cmdline`, 'utf8')).not.to.include(password)
  })

  it('starts no second cluster in the same checkout', async () => {
    const pids = pidsOf(describedIn(checkout))

    const second = await checkout.makeToEnd('up', { PORT: String(port) })

    expect(second.code).to.equal(0)
    expect(second.output).to.include(`runs here already: http://localhost:${port}`)
    expect(pidsOf(describedIn(checkout))).to.deep.equal(pids)
  })

  it('is seen by make status', async () => {
    const { output } = await checkout.makeToEnd('status')

    for (const name of ['gateway-1', 'api-1', 'worker-1', 'edge']) {
      expect(output).to.match(new RegExp(`^${name} .* ready$`, 'm'))
    }
  })

  it('is scaled from another shell, and its edge knows', async () => {
    const { edge } = describedIn(checkout)

    const grown = await checkout.makeToEnd('scale', { gateways: '3' })
    const names = describedIn(checkout).gateways.map(({ name }) => name)
    const config = readFileSync(join(checkout.path, '.run', 'haproxy.cfg'), 'utf8')
    const shrunk = await checkout.makeToEnd('scale', { gateways: '1' })

    expect(grown.output).to.include('3 gateways')
    expect(names).to.deep.equal(['gateway-1', 'gateway-2', 'gateway-3'])
    expect(config.match(/server gateway-\d/g)).to.have.length(3)
    expect(shrunk.output).to.include('1 gateways')
    const after = describedIn(checkout)
    expect(after.gateways.map(({ name }) => name)).to.deep.equal(['gateway-1'])
    expect(after.edge?.pid).to.equal(edge?.pid)
    expect((await checkout.makeToEnd('scale', { gateways: 'many' })).output).to.include('Say how many')
    await expectService(checkout, port)
  })

  it('ends the orphans of a killed supervisor before it starts anew, with the old data', async () => {
    const before = describedIn(checkout)
    const supervisor = JSON.parse(readFileSync(join(checkout.path, '.run', 'supervisor.json'), 'utf8')) as {
      pid: number
    }
    process.kill(supervisor.pid, 'SIGKILL')
    await running.ended()
    expect(pidsOf(before).every((pid) => identify(pid) !== undefined)).to.equal(true)

    running = checkout.make('up', { PORT: String(port), GATEWAYS: '1' })
    await running.printed(`ready: http://localhost:${port}\n`)

    expect(running.output()).to.include('stopped what an unclean end left behind')
    expect(pidsOf(before).filter((pid) => identify(pid) !== undefined)).to.deep.equal([])
    const password = (url: string) => new URL(url).password
    expect(password(describedIn(checkout).postgres.url)).to.equal(password(before.postgres.url))
    await expectService(checkout, port)
  })

  it('stops everything on Ctrl-C', async () => {
    const pids = pidsOf(describedIn(checkout))

    running.signal('SIGINT')
    await running.ended()

    await expectNothingLeft(checkout, pids)
    expect((await checkout.makeToEnd('status')).output).to.include('nothing runs here')
  })

  it('starts with HTTPS, a TURN server, and the stores of others where it is asked for them', async () => {
    stores = await Promise.all([startPostgres(), startRedis()])
    const [postgres, redis] = stores
    const theirs = { DATABASE_URL: postgres.url, REDIS_URL: redis.url, JWT_SECRET: OWN_SECRET }
    running = checkout.make('up', { PORT: String(port), GATEWAYS: '1', TLS: '1', TURN: '1', ...theirs })
    await running.printed(`ready: https://localhost:${port}\n`)
    const { output } = await checkout.makeToEnd('status')

    const { turn } = describedIn(checkout)
    expect(output).to.match(/^edge .* https:\S+ +ready$/m)
    expect(output).to.match(new RegExp(`^turn +pid ${turn?.pid} +port ${turn?.port}$`, 'm'))
    expect(describedIn(checkout)).to.deep.include({
      postgres: { pid: null, url: postgres.url },
      redis: { pid: null, port: redis.port, url: redis.url },
    })
  })

  it('then serves HTTPS with a certificate that it made', async () => {
    expect(running.output()).to.include('certificate: made here, trust it by .run/tls/ca.pem')
    expect((await getSecurely('/health')).status).to.equal(200)
  })

  it('then has a TURN server that the API knows, and takes the tokens of a JWT_SECRET', async () => {
    const token = mintToken(OWN_SECRET, { sub: randomUUID() })

    const { body } = await getSecurely('/api/v1/webrtc/ice-servers', token)

    const turn = (JSON.parse(body) as IceServersResponse).iceServers.at(-1)
    expect(turn?.urls).to.deep.equal([`turn:127.0.0.1:${describedIn(checkout).turn?.port}?transport=udp`])
    expect(turn?.credential).to.be.a('string')
  })

  it('stops what make down finds, from another shell, but not the stores of others', async () => {
    const pids = pidsOf(describedIn(checkout))

    const { code, output } = await checkout.makeToEnd('down')

    expect(code).to.equal(0)
    expect(output).to.include('stopped')
    expect(await running.ended()).to.equal(0)
    await expectNothingLeft(checkout, pids)
    expect(stores.every(({ pid }) => identify(pid ?? 0) !== undefined)).to.equal(true)
  })

  /** By HTTPS, trusting the certificate of this checkout alone. */
  function getSecurely(path: string, token?: string): Promise<{ status: number | undefined; body: string }> {
    const ca = readFileSync(describedIn(checkout).edge?.ca ?? '')
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    return new Promise((resolve, reject) => {
      get(`https://localhost:${port}${path}`, { ca, headers }, async (response) => {
        resolve({ status: response.statusCode, body: await text(response) })
      }).once('error', reject)
    })
  }

  it('gives up a start on Ctrl-C without leaving anything', async () => {
    running = checkout.make('up', { PORT: String(port) })
    await running.printed('postgres ')

    running.signal('SIGINT')
    await running.ended()

    await expectNothingLeft(checkout, [])
  })

  it('says in one line that the port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const address = server.address()
    const taken = typeof address === 'object' && address ? address.port : 0

    const { code, output } = await checkout.makeToEnd('up', { PORT: String(taken) })
    server.close()

    expect(code).not.to.equal(0)
    expect(output.split('\n')[0]).to.match(new RegExp(`^Port ${taken} is taken\\.`))
    await expectNothingLeft(checkout, [])
  })

  it('names a setting that is wrong', async () => {
    const gateways = await checkout.makeToEnd('up', { PORT: String(port), GATEWAYS: 'two' })
    const ring = await checkout.makeToEnd('up', { PORT: String(port), RING_TIMEOUT_SECONDS: 'soon' })

    expect(gateways.code).not.to.equal(0)
    expect(gateways.output).to.include('GATEWAYS')
    expect(ring.code).not.to.equal(0)
    expect(ring.output).to.include('RING_TIMEOUT_SECONDS')
    await expectNothingLeft(checkout, [])
  })
})

// `make up` above runs as whoever runs the tests; where that is root, an ordinary user is another matter.
if (canBeSomebodyElse)
  describe('make up as an ordinary user under a 0700 home', function () {
    this.timeout(120_000)
    let checkout: CheckoutCopy

    before(() => {
      checkout = copyCheckout({ mode: 0o700, uid: NOBODY })
    })

    after(() => checkout.remove())

    it('starts, serves and leaves nothing', async () => {
      const port = await findFreePort()
      const running = checkout.make('up', { PORT: String(port), GATEWAYS: '1' })
      await running.printed(`ready: http://localhost:${port}\n`)
      await expectService(checkout, port)
      const pids = pidsOf(describedIn(checkout))

      running.signal('SIGINT')
      await running.ended()

      await expectNothingLeft(checkout, pids)
    })
  })
