/** The edge that is replaced while it is used, and several edges in front of the same gateways. */
import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { Edge, statusOf } from '../../dev/cluster/edge.ts'
import { findFreePort } from '../../dev/cluster/ports.ts'
import type { EdgeServer } from '../../edge/render.ts'
import { Fleet, pause, stopAllFleets } from '../chaos/fleet.ts'
import { faultsOf } from '../chaos/report.ts'
import { BUSY_USERS, RestTraffic } from '../chaos/rest-traffic.ts'
import { newCall } from '../support/calls.ts'
import { privateCluster } from '../support/clusters.ts'
import { type ObservedEdge, serverThrough } from '../support/edge-log.ts'
import { eventually } from '../support/eventually.ts'

const SETTLE_MS = 20_000
/** Longer than a check waited for an answer before a slow one was let be, by which this is told from that. */
const BUSY_MS = 1_200

/** Of each of four clients some. */
const REQUESTS_A_RELOAD = 20

describe('an edge that is reloaded under load', () => {
  let cluster: Cluster

  // With production's time for an old worker: a busy machine takes as long as it likes over three reloads.
  before(async function () {
    this.timeout(60_000)
    cluster = await privateCluster({ env: BUSY_USERS })
  })
  after(() => cluster.stop())

  it('fails no request and ends no WebSocket', async () => {
    const call = await newCall(cluster)
    const caller = await call.caller.joinAs('raw', { at: 'edge' })
    const callee = await call.callee.joinAs('socketio', { at: 'edge' })
    const traffic = await RestTraffic.start(cluster, { clients: 4 })

    for (let turn = 0; turn < 3; turn++) {
      const before = traffic.requests
      await cluster.reloadEdge()
      caller.offer(`offer ${turn}`)
      await callee.next((message) => message.type === 'offer' && message.sdp === `offer ${turn}`)
      // A busy machine takes its time: what counts is that each reload met requests, not how many fit into it.
      await eventually(() => expect(traffic.requests - before).to.be.at.least(REQUESTS_A_RELOAD), 15_000)
    }

    expect((await traffic.stop()).failed).to.deep.equal([])
  }).timeout(60_000)

  it('lets servers be that are too busy to answer the first checks of the new worker', async () => {
    const names = cluster.description.api.map(({ name }) => name)
    const asked: Promise<number>[] = []
    for (const name of names) await cluster.kill(name, 'SIGSTOP')
    try {
      await cluster.reloadEdge()
      for (const until = performance.now() + BUSY_MS; performance.now() < until; await pause(100))
        asked.push(statusOf(`${cluster.url}/health`, null, 20_000))
    } finally {
      for (const name of names) await cluster.kill(name, 'SIGCONT')
    }
    expect(new Set(await Promise.all(asked))).to.deep.equal(new Set([200]))
  }).timeout(40_000)
})

describe('an edge that is replaced under load', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await privateCluster({ hardStopSeconds: 4 })
  })
  afterEach(stopAllFleets)
  after(() => cluster.stop())

  it('cuts what its old worker still has when that one’s time is over, and the clients resume', async () => {
    const fleet = await Fleet.start(cluster, { calls: 6, pauseMs: 400 })
    fleet.startSending()

    await cluster.reloadEdge()
    await pause(500)
    const cutAtOnce = fleet.ledger.verdict().reconnects.cut.count
    await eventually(() => expect(fleet.ledger.verdict().reconnects.cut.count).to.be.at.least(12), 30_000)
    await fleet.settle(SETTLE_MS)

    expect(cutAtOnce).to.equal(0)
    expect(faultsOf(fleet.ledger.verdict()), fleet.ledger.evidence()).to.deep.equal([])
    expect(fleet.ledger.verdict()).to.include({ gapsTold: 0, userLeft: 0 })
    expect(await fleet.notActive()).to.deep.equal([])
  }).timeout(60_000)

  it('may be killed: its clients resume through the next one', async () => {
    const fleet = await Fleet.start(cluster, { calls: 6, pauseMs: 400 })
    fleet.startSending()
    await pause(500)

    await cluster.kill('edge', 'SIGKILL')
    await cluster.waitReady('edge')
    await eventually(() => expect(fleet.ledger.verdict().reconnects.cut.count).to.be.at.least(12))
    await fleet.settle(SETTLE_MS)

    expect(faultsOf(fleet.ledger.verdict()), fleet.ledger.evidence()).to.deep.equal([])
    expect(fleet.ledger.verdict()).to.include({ gapsTold: 0, userLeft: 0 })
    expect(await fleet.notActive()).to.deep.equal([])
  }).timeout(60_000)
})

describe('two edges in front of the same gateways', () => {
  const calls = Array.from({ length: 40 }, () => randomUUID())
  let cluster: Cluster
  let edges: Edge[]
  let observed: ObservedEdge[]

  before(async function () {
    this.timeout(60_000)
    cluster = await privateCluster({ gateways: 3, restart: false })
    const home = { runDir: cluster.runDir, restart: false }
    edges = []
    for (const name of ['edge-2', 'edge-3'])
      edges.push(
        await Edge.create({ port: await findFreePort(), tls: false, name }, servers('gateway-1', 'gateway-2'), home),
      )
    for (const edge of edges) edge.process.start()
    for (const edge of edges) await eventually(() => edge.checkReady())
    observed = edges.map(({ url, process: { name } }) => ({ url, runDir: cluster.runDir, name }))
  })

  after(async () => {
    for (const edge of edges) await edge.process.stop(2_000)
    for (const edge of edges) await edge.process.close()
    await cluster.stop()
  })

  function servers(...names: string[]): { apis: EdgeServer[]; gateways: EdgeServer[] } {
    const described = (members: { name: string; port: number; metrics_port: number }[]) =>
      members.map(({ name, port, metrics_port }) => ({ name, host: '127.0.0.1', port, checkPort: metrics_port }))
    const gateways = described(cluster.description.gateways)
    return {
      apis: described(cluster.description.api),
      gateways: names.flatMap((wanted) => gateways.filter(({ name }) => name === wanted)),
    }
  }

  /** Where each call goes, through each edge. */
  function maps(): Promise<string[][]> {
    return Promise.all(
      observed.map((edge) => Promise.all(calls.map((id) => serverThrough(edge, `/ws/signaling/${id}?token=x`)))),
    )
  }

  it('send a call to the same gateway, also after gateways came and went, in whatever order they list them', async () => {
    const [first = [], second] = await maps()
    expect(second).to.deep.equal(first)

    // One comes: in front of the others for one edge, behind them for the other.
    await edges[0]?.reload(servers('gateway-3', 'gateway-1', 'gateway-2'))
    await edges[1]?.reload(servers('gateway-1', 'gateway-2', 'gateway-3'))
    // A kept connection may lead to the old worker until that one has closed it.
    const grown = await eventually(async () => {
      const [one = [], other] = await maps()
      expect(other).to.deep.equal(one)
      expect(new Set(one)).to.deep.equal(new Set(['gateway-1', 'gateway-2', 'gateway-3']))
      return one
    })
    for (const [at, server] of grown.entries()) if (server !== 'gateway-3') expect(server).to.equal(first[at])

    // One goes: from the middle of the list for one edge, by its death alone for the other.
    await edges[0]?.reload(servers('gateway-3', 'gateway-2'))
    await cluster.kill('gateway-1', 'SIGKILL')
    await eventually(async () => {
      const [shrunk = [], alsoShrunk] = await maps()
      expect(alsoShrunk).to.deep.equal(shrunk)
      for (const [at, server] of shrunk.entries()) if (grown[at] !== 'gateway-1') expect(server).to.equal(grown[at])
    })
  }).timeout(60_000)
})
