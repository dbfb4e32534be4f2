/**
 * Edges as in compose and Kubernetes: they find gateways by name, from a real name server (dnsmasq), while these come and
 * go. Each gateway has an address of its own in 127.0.0.0/8, as each pod has.
 */
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { findFreePort } from '../../dev/cluster/ports.ts'
import { SupervisedProcess } from '../../dev/cluster/supervised-process.ts'
import { findTool, HAPROXY, type Tool } from '../../dev/cluster/tools.ts'
import { poolSections, withPools } from '../../edge/dns-pool.ts'
import { renderEdge } from '../../edge/render.ts'
import { createUser } from '../support/api-client.ts'
import { privateCluster } from '../support/clusters.ts'
import { connectPeer, refusalOf } from '../support/connect-peer.ts'
import { eventually } from '../support/eventually.ts'
import { Refused } from '../support/peer.ts'
import { PollingSession } from '../support/polling-session.ts'
import { mintToken } from '../support/tokens.ts'

const root = dirname(dirname(import.meta.dirname))

const DNSMASQ: Tool = {
  title: 'dnsmasq',
  programs: ['dnsmasq'],
  versionArgs: ['--version'],
  versionPattern: /version (\d+)\.(\d+)/,
  minimum: [2, 80],
  aptPackage: 'dnsmasq-base',
  install: { macOS: 'brew install dnsmasq', 'Debian, Ubuntu': 'apt-get install dnsmasq-base' },
  otherwise: 'run this test elsewhere',
}

const STOP_MS = 15_000
/** A lookup each second, a readiness check or two, and a busy machine. */
const NOTICE_MS = 20_000
const SLOTS = 8

interface Edge {
  url: string
  /** Addresses that have a place, by the place's name. */
  places(): Promise<Map<string, string>>
  /** Addresses that new connections may be led to. */
  usable(): Promise<string[]>
  log(): string
}

describe('An edge that finds gateways by name', function () {
  this.timeout(90_000)
  let cluster: Cluster
  let dns: SupervisedProcess
  let dnsPort: number
  let port: number
  let metricsPort: number
  const gateways = new Map<string, SupervisedProcess>()
  const edges: Edge[] = []
  const processes: SupervisedProcess[] = []

  const home = () => ({ runDir: cluster.runDir, restart: false })
  const hostsFile = () => join(cluster.runDir, 'hosts')

  /** What names stand for from now on. */
  function publish(addresses: string[]): void {
    writeFileSync(hostsFile(), ['127.0.0.1 api.test', ...addresses.map((one) => `${one} gateway.test`), ''].join('\n'))
    if (dns?.pid) process.kill(dns.pid, 'SIGHUP')
  }

  function startGateway(address: string): void {
    const env = {
      ...cluster.env,
      BIND_ADDRESS: address,
      GATEWAY_PORT: String(port),
      METRICS_PORT: String(metricsPort),
      NODE_NAME: `gateway-at-${address}`,
      DRAIN_WINDOW_SECONDS: '1',
    }
    const script = join(root, 'dist/gateway/main.js')
    const gateway = new SupervisedProcess(
      { name: `at-${address}`, command: process.execPath, args: [script], env },
      home(),
    )
    gateway.start()
    gateways.set(address, gateway)
    processes.push(gateway)
  }

  async function startEdge(name: string): Promise<Edge> {
    const tool = await findTool(HAPROXY)
    const edgePort = await findFreePort()
    const folder = join(cluster.runDir, name)
    mkdirSync(folder)
    const api = cluster.api(0)
    const template = readFileSync(join(root, 'edge/haproxy.cfg.template'), 'utf8')
    const pools = {
      apis: { host: 'api.test', port: api.port, checkPort: api.metricsPort, slots: 2 },
      gateways: { host: 'gateway.test', port, checkPort: metricsPort, slots: SLOTS },
    }
    const bind = `127.0.0.1:${edgePort}`
    const config = renderEdge(withPools(template, pools), { bind, maxConnections: 500, apis: [], gateways: [] })
    const internalBind = `127.0.0.1:${await findFreePort()}`
    const sections = poolSections({ internalBind, drainSeconds: 5, nameserver: `127.0.0.1:${dnsPort}` })
    const socket = join(folder, 'admin')
    writeFileSync(join(folder, 'haproxy.cfg'), `${config}${sections}\nglobal\n  stats socket ${socket}\n`)
    const args = ['-db', '-f', join(folder, 'haproxy.cfg')]
    const edge = new SupervisedProcess({ name, command: tool.path, args, env: { ...process.env, ...tool.env } }, home())
    edge.start()
    processes.push(edge)
    await eventually(async () => {
      const response = await fetch(`http://${internalBind}/health/ready`)
      expect(response.status).to.equal(200)
    }, NOTICE_MS)
    return {
      url: `http://127.0.0.1:${edgePort}`,
      places: async () => placesIn(await ask(socket, 'show servers state gateways')),
      usable: async () => usableIn(await ask(socket, 'show servers state gateways')),
      log: () => readFileSync(join(cluster.runDir, 'logs', `${name}.log`), 'utf8'),
    }
  }

  /** Returns once these are ready, and every edge leads new connections to them and no others. */
  const untilUsable = (...addresses: string[]) =>
    eventually(async () => {
      // A pod is named before it is ready, and HAProxy before 3.1 believes in a new server until a check has failed.
      for (const address of addresses)
        expect((await fetch(`http://${address}:${metricsPort}/health/ready`)).status).to.equal(200)
      for (const edge of edges) expect(await edge.usable()).to.have.members(addresses)
    }, NOTICE_MS)

  before(async () => {
    const dnsmasq = await findTool(DNSMASQ)
    cluster = await privateCluster({ gateways: 1, edge: false })
    ;[dnsPort, port, metricsPort] = [await findFreePort(), await findFreePort(), await findFreePort()]
    publish([])
    const own = [`--port=${dnsPort}`, '--listen-address=127.0.0.1', '--bind-interfaces', '--no-resolv', '--no-hosts']
    const args = [
      '--keep-in-foreground',
      '--user=root',
      '--pid-file=',
      '--conf-file=/dev/null',
      `--addn-hosts=${hostsFile()}`,
    ]
    const env = { ...process.env, ...dnsmasq.env }
    dns = new SupervisedProcess({ name: 'dns', command: dnsmasq.path, args: [...args, ...own], env }, home())
    dns.start()
    processes.push(dns)
    for (const name of ['edge-a', 'edge-b']) edges.push(await startEdge(name))
  })

  after(async () => {
    for (const one of processes) {
      await one.stop(STOP_MS)
      await one.close()
    }
    await cluster?.stop()
  })

  it('starts, and answers 503 in the contract’s form, while the name stands for nobody', async () => {
    const user = createUser(edges[0]?.url ?? '', cluster.jwtSecret)
    const refusal = await refusalOf('raw', { url: user.api.baseUrl, userId: user.id, token: user.token })
    expect(refusal).to.include({ status: 503, code: 'SERVICE_UNAVAILABLE' })
    expect((await user.api.activeCalls(user.id)).status).to.equal(200)
  })

  it('uses gateways as they appear, and carries calls through them', async () => {
    startGateway('127.0.9.1')
    startGateway('127.0.9.2')
    publish(['127.0.9.1', '127.0.9.2'])
    await untilUsable('127.0.9.1', '127.0.9.2')

    const [caller, callee] = edges.map(({ url }) => createUser(url, cluster.jwtSecret))
    if (!caller || !callee) throw new Error('There are two edges')
    const made = await caller.api.initiate({ caller_id: caller.id, callee_id: callee.id })
    const callId = made.body.call_id
    expect((await callee.api.answer(callId, { user_id: callee.id })).status).to.equal(200)
    const options = { callId, url: caller.api.baseUrl }
    const a = await connectPeer('raw', { ...options, userId: caller.id, otherId: callee.id, token: caller.token })
    const b = await connectPeer('socketio', {
      ...options,
      url: callee.api.baseUrl,
      userId: callee.id,
      otherId: caller.id,
      token: callee.token,
    })
    await a.join()
    await b.join()
    a.offer('v=0')
    expect((await b.next('offer')).sdp).to.equal('v=0')
  })

  it('leads each request of a long poll to its gateway, as the other edge does, which has it in another place', async () => {
    const nodes = new Set<string>()
    for (let at = 0; at < 12; at++) {
      const route = (step: number) => ({ url: edges[step % 2]?.url ?? '', from: `127.0.${step + 1}.${at + 1}` })
      const session = await PollingSession.open(route(0))
      await session.connect(route(1), mintToken(cluster.jwtSecret, { sub: randomUUID() }))
      expect(await session.poll(route(0))).to.match(/^40\{"sid":/)
      await session.close(route(1))
      nodes.add(session.sid.split('.')[0] ?? '')
    }
    expect(nodes).to.have.length(2)
  })

  it('goes on while the name server is away', async () => {
    process.kill(dns.pid ?? 0, 'SIGSTOP')
    try {
      // Longer than a place outlives its address being named no more.
      const until = Date.now() + 8_000
      while (Date.now() < until) for (const { url } of edges) await openAndClose(url)
    } finally {
      process.kill(dns.pid ?? 0, 'SIGCONT')
    }
    await untilUsable('127.0.9.1', '127.0.9.2')
  })

  it('loses nobody who tries again once while gateways are scaled 2 → 4 → 2', async () => {
    let going = true
    let opened = 0
    const traffic = Promise.all(
      edges.map(async ({ url }) => {
        while (going) {
          await openAndClose(url)
          opened += 1
        }
      }),
    )
    try {
      for (const address of ['127.0.9.3', '127.0.9.4']) startGateway(address)
      publish(['127.0.9.1', '127.0.9.2', '127.0.9.3', '127.0.9.4'])
      await untilUsable('127.0.9.1', '127.0.9.2', '127.0.9.3', '127.0.9.4')
      const atFour = opened
      await eventually(() => expect(opened).to.be.above(atFour + 20), NOTICE_MS)
      // A pod that ends is still named until it is gone.
      await Promise.all(['127.0.9.1', '127.0.9.3'].map((address) => gateways.get(address)?.stop(STOP_MS)))
      publish(['127.0.9.2', '127.0.9.4'])
      await untilUsable('127.0.9.2', '127.0.9.4')
      // Their places are free for others.
      await eventually(async () => {
        for (const edge of edges)
          expect([...(await edge.places()).values()]).to.have.members(['127.0.9.2', '127.0.9.4'])
      }, NOTICE_MS)
      const atTwo = opened
      await eventually(() => expect(opened).to.be.above(atTwo + 20), NOTICE_MS)
    } finally {
      going = false
    }
    await traffic
  })

  it('leads a call to the same gateway as the other edge does, where HAProxy is 3.1 or newer', async () => {
    const callIds = Array.from({ length: 60 }, () => randomUUID())
    const seen: string[][] = []
    for (const edge of edges) {
      for (const id of callIds) await (await fetch(`${edge.url}/ws/signaling/${id}`)).arrayBuffer()
      const places = await edge.places()
      seen.push(
        await eventually(() =>
          callIds.map((id) => {
            const line = edge
              .log()
              .split('\n')
              .find((candidate) => candidate.includes(id))
            if (line === undefined) throw new Error(`Nothing is logged of ${id}`)
            return places.get((JSON.parse(line) as { server: string }).server) ?? 'nobody'
          }),
        ),
      )
    }
    const [ofA = [], ofB = []] = seen
    expect(new Set(ofA)).to.have.length(2)
    const same = ofA.filter((address, index) => address === ofB[index]).length
    const { path, env } = await findTool(HAPROXY)
    if (isRecent(path, env)) expect(same).to.equal(callIds.length)
    // An older one places servers by the order in which it found them, which two edges need not share.
    else expect(same).to.be.within(0, callIds.length)
  })

  /** A user channel of somebody new; tries a second time where it is cut or told to, when it is told to. */
  async function openAndClose(url: string): Promise<void> {
    const user = createUser(url, cluster.jwtSecret)
    const open = () => connectPeer('raw', { url, userId: user.id, token: user.token })
    const peer = await open().catch(async (error: unknown) => {
      if (error instanceof Refused) {
        if (error.status !== 503) throw error
        const details = error.body?.error.details as { retry_after_ms: number } | undefined
        await new Promise((resolve) => setTimeout(resolve, details?.retry_after_ms ?? 0))
      }
      return open()
    })
    await peer.close()
    // Twenty clients a second at each edge show what happens; more would only take the processor from it.
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
})

function isRecent(path: string, env: Record<string, string>): boolean {
  const version = execFileSync(path, ['-v'], { encoding: 'utf8', env: { ...process.env, ...env } })
  const [, major, minor] = /version (\d+)\.(\d+)/.exec(version) ?? []
  return Number(major) + Number(minor) / 100 >= 3.01
}

/** One command on HAProxy's own socket. */
function ask(socket: string, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const client = connect(socket, () => client.end(`${command}\n`))
    let answer = ''
    client.setEncoding('utf8').on('data', (text: string) => {
      answer += text
    })
    client.once('error', reject)
    client.once('close', () => resolve(answer))
  })
}

interface Place {
  name: string
  address: string
  /** 2 is up; srv_admin_state is 0 where nobody has taken it out. */
  isUp: boolean
}

function readPlaces(state: string): Place[] {
  const lines = state.split('\n')
  const names =
    lines
      .find((line) => line.startsWith('#'))
      ?.slice(2)
      .split(' ') ?? []
  return lines
    .filter((line) => /^\d+ gateways /.test(line))
    .map((line) => Object.fromEntries(line.split(' ').map((value, index) => [names[index] ?? '', value])))
    .map((entry) => ({
      name: entry.srv_name ?? '',
      address: entry.srv_addr ?? '-',
      isUp: entry.srv_op_state === '2' && entry.srv_admin_state === '0',
    }))
    .filter(({ address }) => /^127\.0\.9\./.test(address))
}

function placesIn(state: string): Map<string, string> {
  return new Map(readPlaces(state).map(({ name, address }) => [name, address]))
}

function usableIn(state: string): string[] {
  return readPlaces(state)
    .filter(({ isUp }) => isUp)
    .map(({ address }) => address)
}
