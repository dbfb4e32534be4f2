/**
 * `make test-containers`: builds the image, starts docker-compose.yml and makes calls through it. Not part of
 * `make test`, as it needs a Docker engine, or root and Debian's, and takes some minutes.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { Ledger } from '../chaos/ledger.ts'
import { LedgerClient, type Transport } from '../chaos/ledger-client.ts'
import { createUser, type TestUser } from '../support/api-client.ts'
import { connectPeer, type PeerKind } from '../support/connect-peer.ts'
import { eventually } from '../support/eventually.ts'
import { type Engine, findEngine } from './engine.ts'
import { provideImages } from './images.ts'
import { Stack } from './stack.ts'

const root = dirname(dirname(import.meta.dirname))
const IMAGE = 'tchat-calling:latest'
/** Downloads of packages and a build from nothing, on a busy machine. */
const SETUP_MS = 900_000
const TRIAL_MS = 240_000

const say = (line: string) => console.log(`    ${line}`)
const timed = async <T>(what: string, work: () => T | Promise<T>): Promise<T> => {
  const startedAt = performance.now()
  const result = await work()
  say(`${what}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
  return result
}

describe('The image and docker-compose.yml', function () {
  this.timeout(TRIAL_MS)
  let engine: Engine
  let stack: Stack
  let secret: string

  before(async function () {
    this.timeout(SETUP_MS)
    engine = await findEngine()
    say(engine.title)
    const areStandIns = await timed('images of others', () => provideImages(engine, say))
    await timed('docker build', () =>
      engine.docker(['build', '--network', 'host', '--tag', IMAGE, '.'], { cwd: root, env: { DOCKER_BUILDKIT: '0' } }),
    )
    stack = await Stack.create(engine)
    // Grafana is not in Debian: without a registry its service is left out.
    const services = ['edge', 'worker', 'coturn', 'prometheus', ...(areStandIns ? [] : ['grafana'])]
    if (areStandIns) say('grafana is left out: Debian has none to make a stand-in of')
    await timed('docker compose up, until all are healthy', () => stack.up(services))
    secret = stack.secret('jwt_secret')
  })

  after(async function () {
    this.timeout(SETUP_MS)
    try {
      stack?.down()
    } finally {
      await engine?.stop()
    }
  })

  afterEach(function () {
    if (this.currentTest?.state !== 'failed') return
    for (const service of ['edge', 'api', 'gateway', 'coturn', 'prometheus']) {
      const tail = stack.logs(service).split('\n').slice(-15)
      say(tail.join('\n    '))
    }
  })

  const user = () => createUser(stack.url, secret)

  async function ring(caller: TestUser, callee: TestUser): Promise<string> {
    const made = await caller.api.initiate({ caller_id: caller.id, callee_id: callee.id, call_type: 'video' })
    expect(made.status, made.text).to.equal(201)
    return made.body.call_id
  }

  it('is small, and has neither root nor npm', () => {
    const [image] = JSON.parse(engine.docker(['image', 'inspect', IMAGE])) as [
      { Size: number; Config: { User: string } },
    ]
    const [layers] = [engine.docker(['history', '--format', '{{.Size}} {{.CreatedBy}}', '--no-trunc', IMAGE])]
    const base = JSON.parse(engine.docker(['image', 'inspect', baseOf(root)])) as [{ Size: number }]
    const ownBytes = image.Size - base[0].Size
    say(`${megabytes(image.Size)} in all, ${megabytes(ownBytes)} of it on top of the base image`)

    expect(image.Config.User).to.match(/^[1-9]\d*:[1-9]\d*$/)
    expect(ownBytes, layers).to.be.below(40 * 1024 * 1024)
    const look = ['run', '--rm', '--network', 'none', '--read-only', '--entrypoint', 'sh', IMAGE, '-c']
    const found = engine.docker([...look, 'id -u; command -v npm npx yarn corepack; ls /app /app/node_modules; true'])
    expect(found.split('\n')[0]).to.equal('1000')
    expect(found.split('\n')).to.include('dist').and.include('swagger-ui-dist')
    expect(found).not.to.match(/npm|npx|yarn|corepack|typescript|mocha|esbuild|knex|\.env|\.git/)
  })

  it('refuses a part that it does not have, and to start without a key', () => {
    const run = ['run', '--rm', '--network', 'none', '--read-only', '--init']
    expect(() => engine.docker([...run, IMAGE, 'gatway'])).to.throw('"gatway" is no part of this image')
    expect(() => engine.docker([...run, IMAGE, 'api'])).to.throw('JWT_SECRET')
    expect(() => engine.docker([...run, '-e', 'JWT_SECRET_FILE=/secrets/none', IMAGE, 'api'])).to.throw('/secrets/none')
  })

  it('runs every part read-only, without capabilities and without a restart', () => {
    const containers = stack.containers()
    expect(containers.map(({ service }) => service).sort()).to.include.members([
      'api',
      'coturn',
      'edge',
      'edge-config',
      'gateway',
      'gateway',
      'migrate',
      'postgres',
      'prometheus',
      'redis',
      'secrets',
      'worker',
    ])
    for (const { id, service, restarts } of containers) {
      const [{ HostConfig: host, Config: config }] = JSON.parse(engine.docker(['inspect', id])) as [
        {
          HostConfig: { ReadonlyRootfs: boolean; CapDrop: string[]; SecurityOpt: string[]; Memory: number }
          Config: { User: string }
        },
      ]
      expect(host.ReadonlyRootfs, service).to.equal(true)
      expect(host.CapDrop, service).to.deep.equal(['ALL'])
      expect(host.SecurityOpt, service).to.deep.equal(['no-new-privileges:true'])
      expect(host.Memory, service).to.be.above(0)
      expect(config.User, service).to.match(/^[1-9]/)
      expect(restarts, service).to.equal(0)
    }
  })

  it('says that all is healthy through the edge', async () => {
    const { status, body } = await user().api.detailedHealth()
    expect(status).to.equal(200)
    expect(body.status).to.equal('healthy')
  })

  it('has secrets of its own making, which no command line shows', () => {
    const secrets = ['jwt_secret', 'turn_secret', 'postgres_password', 'redis_password'].map((name) =>
      stack.secret(name),
    )
    expect(new Set(secrets).size).to.equal(4)
    const visible = stack.containers().map(({ id }) => engine.docker(['inspect', id]) + engine.docker(['logs', id]))
    const processes = stack
      .containers()
      .filter(({ state }) => state === 'running')
      .map(({ id }) => engine.docker(['top', id]))
    for (const value of secrets) {
      expect(Buffer.from(value, 'base64url')).to.have.length(32)
      expect([...visible, ...processes].join('\n')).not.to.include(value)
    }
  })

  for (const kinds of [
    ['raw', 'socketio'],
    ['socketio', 'raw'],
  ] as [PeerKind, PeerKind][]) {
    it(`carries a call through the edge, ${kinds.join(' to ')}, from ring to history`, async () => {
      const [caller, callee] = [user(), user()]
      const channel = await connectPeer(kinds[1], { url: stack.url, userId: callee.id, token: callee.token })
      const callId = await ring(caller, callee)
      const rung = await channel.next('incoming-call')
      expect(rung.signaling_url).to.equal(`${stack.url.replace('http', 'ws')}/ws/signaling/${callId}`)
      await talk({ callId, caller, callee, kinds, urls: [stack.url, stack.url] })
    })
  }

  it('carries a call whose peers are on two gateways', async () => {
    const gateways = stack.containers('gateway')
    expect(gateways).to.have.length(2)
    const urls = gateways.map(({ address }) => `http://${address}:8082`) as [string, string]
    const [caller, callee] = [user(), user()]
    await talk({ callId: await ring(caller, callee), caller, callee, kinds: ['raw', 'socketio'], urls })
  })

  it('gives TURN credentials that its coturn takes', async () => {
    const { body } = await user().api.iceServers()
    const turn = body.iceServers.find(({ username }) => username !== undefined)
    expect(turn?.urls).to.include(`turn:localhost:${stack.turnPort}?transport=udp`)
    const [coturn] = stack.containers('coturn')
    // coturn's own client, in coturn's container: packets from one relay to another, as between two who both relay.
    const attempt = (password: string) =>
      engine.docker([
        ...['exec', coturn?.id ?? '', 'turnutils_uclient', '-y', '-n', '1', '-m', '1', '-c'],
        ...['-u', turn?.username ?? '', '-w', password, '127.0.0.1'],
      ])
    expect(attempt(turn?.credential ?? '')).to.include('Total lost packets 0 (')
    expect(() => attempt('wrong')).to.throw()
  })

  it('is scraped by its Prometheus, both gateways and the edge too', async () => {
    await eventually(async () => {
      const response = await fetch(
        `${stack.prometheusUrl}/api/v1/query?query=${encodeURIComponent('sum by (job) (up)')}`,
      )
      const { data } = (await response.json()) as {
        data: { result: { metric: { job: string }; value: [number, string] }[] }
      }
      const up = Object.fromEntries(data.result.map(({ metric, value }) => [metric.job, Number(value[1])]))
      expect(up).to.include({ api: 1, gateway: 2, worker: 1, edge: 1 })
    }, 60_000)
  })

  it('loses no message while its gateways are restarted one after the other', async () => {
    const ledger = new Ledger()
    const transports: Transport[] = ['raw', 'socketio']
    const clients: LedgerClient[] = []
    const calls: { callId: string; caller: TestUser }[] = []
    for (let index = 0; index < 10; index++) {
      const [caller, callee] = [user(), user()]
      const callId = await ring(caller, callee)
      expect((await callee.api.answer(callId, { user_id: callee.id })).status).to.equal(200)
      ledger.open(callId, transports.join(' to '))
      for (const [at, me] of [caller, callee].entries()) {
        const client = new LedgerClient(
          {
            url: stack.url,
            callId,
            side: at === 0 ? 'a' : 'b',
            userId: me.id,
            otherId: at === 0 ? callee.id : caller.id,
            token: me.token,
            device: randomUUID(),
            transport: transports[at] ?? 'raw',
            patienceMs: 5000,
            pauseMs: 200,
          },
          ledger,
        )
        clients.push(client)
        client.start()
      }
      calls.push({ callId, caller })
    }
    try {
      await eventually(() => expect(clients.filter(({ isJoined }) => !isJoined)).to.have.length(0), 30_000)
      for (const client of clients) client.startSending()
      for (const { id } of stack.containers('gateway')) {
        const startedAt = performance.now()
        engine.docker(['restart', '--time', '30', id])
        await eventually(() => {
          const found = stack.containers('gateway').find((container) => container.id === id)
          expect(found?.health).to.equal('healthy')
        }, 60_000)
        say(`a gateway stopped, started and was healthy in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
      }
      for (const client of clients) client.stopSending()
      await eventually(() => expect(clients.filter(({ unacked }) => unacked > 0)).to.have.length(0), 30_000)
      const verdict = ledger.verdict()
      say(
        `${verdict.sent} sent, ${verdict.acked} acked, ${verdict.delivered} delivered, ${verdict.reconnects.cut.count} reconnects`,
      )
      expect(verdict.sent).to.be.above(100)
      expect(verdict).to.include({ lost: 0, doubled: 0, reordered: 0, strangers: 0 })
      for (const { callId, caller } of calls) {
        expect((await caller.api.status(callId)).body.status).to.equal('active')
        expect((await caller.api.end(callId)).status).to.equal(200)
      }
    } finally {
      for (const client of clients) client.stop()
    }
  })

  it('drains its edge on a stop, and ends every part in its time', async () => {
    const running = new Set(
      stack
        .containers()
        .filter(({ state }) => state === 'running')
        .map(({ id }) => id),
    )
    const startedAt = Date.now()
    stack.compose(['stop'])
    const stopped = stack.containers().filter(({ id }) => running.has(id))
    const seconds = stopped.map(
      ({ service, finishedAt }) => `${service} ${((Date.parse(finishedAt) - startedAt) / 1000).toFixed(1)}`,
    )
    say(`stopped after s: ${seconds.join(', ')}`)
    const codes = Object.fromEntries(stopped.map(({ service, exitCode }) => [service, exitCode]))
    // 137 would be a process that had to be killed; HAProxy's master ends with 0 or by its signal.
    expect(codes).to.include({ api: 0, gateway: 0, worker: 0, redis: 0, postgres: 0 })
    expect(Object.values(codes)).not.to.include(137)
  })
})

interface Talk {
  callId: string
  caller: TestUser
  callee: TestUser
  kinds: [PeerKind, PeerKind]
  urls: [string, string]
}

/** Answers, exchanges an offer, an answer and candidates, hangs up, and finds the call in both histories. */
async function talk({ callId, caller, callee, kinds, urls }: Talk): Promise<void> {
  const common = { callId }
  const a = await connectPeer(kinds[0], {
    ...common,
    url: urls[0],
    userId: caller.id,
    otherId: callee.id,
    token: caller.token,
  })
  await a.join()
  expect((await callee.api.answer(callId, { user_id: callee.id })).status).to.equal(200)
  const b = await connectPeer(kinds[1], {
    ...common,
    url: urls[1],
    userId: callee.id,
    otherId: caller.id,
    token: callee.token,
  })
  await b.join()
  a.offer('v=0 offer')
  expect((await b.next('offer')).sdp).to.equal('v=0 offer')
  b.send(b.answerMessage('v=0 answer'))
  expect((await a.next('answer')).sdp).to.equal('v=0 answer')
  for (const text of ['candidate:1', 'candidate:2']) a.candidate(text)
  expect((await b.next('candidate')).candidate).to.equal('candidate:1')
  expect((await b.next('candidate')).candidate).to.equal('candidate:2')
  expect((await caller.api.status(callId)).body.status).to.equal('active')
  expect((await caller.api.end(callId, { user_id: caller.id })).status).to.equal(200)
  const ended = await b.next((message) => message.type === 'call-status' && message.status === 'ended')
  expect(ended).to.include({ end_reason: 'hangup' })
  await Promise.all([a.closed, b.closed])
  for (const { id, api } of [caller, callee]) {
    const { body } = await api.history(id)
    expect(body.calls.map(({ call_id: found }) => found)).to.include(callId)
  }
}

const megabytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(0)} MiB`

function baseOf(folder: string): string {
  return /^ARG NODE_IMAGE=(\S+)$/m.exec(readFileSync(join(folder, 'Dockerfile'), 'utf8'))?.[1] ?? ''
}
