/** What clients report of their peer connections, as operators see it in the gateways' metrics. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { joinBoth, newCall } from '../support/calls.ts'
import { privateCluster, sharedCluster } from '../support/clusters.ts'
import { PEER_KINDS } from '../support/connect-peer.ts'
import { eventually } from '../support/eventually.ts'
import { gatewayMetrics, growth, type Samples } from '../support/metrics.ts'
import type { Peer } from '../support/peer.ts'

const STATS = {
  rtt_ms: 125,
  jitter_ms: 5,
  packet_loss_ratio: 0.25,
  inbound_bitrate_bps: 800_000,
  outbound_bitrate_bps: 64_000,
  candidate_type: 'relay',
}
const GARBAGE = {
  rtt_ms: -1,
  jitter_ms: '5',
  packet_loss_ratio: 7,
  inbound_bitrate_bps: 1e300,
  candidate_type: 'tin can',
}

describe('quality reports', () => {
  let cluster: Cluster
  let earlier: Samples

  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })
  beforeEach(async () => {
    earlier = await gatewayMetrics(cluster)
  })

  const report = (peer: Peer, state: string, stats?: object) =>
    peer.sendAndAck(peer.stateMessage(state, stats === undefined ? {} : { stats }))
  const grown = async (prefix: string) => growth(earlier, await gatewayMetrics(cluster), prefix)

  it('hear a connection once in 5 s, however often it reports, over either transport', async () => {
    const types = ['voice', 'video'] as const
    const callers = await Promise.all(
      PEER_KINDS.map(async (kind, at) => {
        const call = await newCall(cluster, { type: types[at] })
        return (await joinBoth(call, { caller: kind })).caller
      }),
    )
    const each = (count: number) =>
      Object.fromEntries(types.map((type) => [`webrtc_rtt_seconds_count{path=relay,type=${type}}`, count]))
    const reportAll = () => Promise.all(callers.map((caller) => report(caller, 'connected', STATS)))

    for (const caller of callers)
      for (let times = 0; times < 49; times++) caller.send(caller.stateMessage('connected', { stats: STATS }))
    await reportAll()
    const [atFirst, ignored] = [await grown('webrtc_rtt_seconds_count'), await grown('webrtc_stats_ignored_total')]
    await eventually(async () => {
      await reportAll()
      expect(await grown('webrtc_rtt_seconds_count')).to.deep.equal(each(2))
    })

    expect(atFirst).to.deep.equal(each(1))
    expect(ignored).to.deep.equal({ 'webrtc_stats_ignored_total{reason=rate}': 98 })
  }).timeout(60_000)

  for (const kind of PEER_KINDS) {
    describe(kind, () => {
      it('become set-up times, outcomes and quality by type of call and path', async () => {
        const startedAt = performance.now()
        const call = await newCall(cluster, { type: 'video' })
        await call.answer()
        const { caller, callee } = await joinBoth(call, { caller: kind, callee: kind })

        await report(caller, 'connecting')
        await report(caller, 'connected', STATS)
        await report(callee, 'connected', { candidate_type: 'host', rtt_ms: 20 })

        await eventually(async () =>
          expect(await grown('webrtc_connections_total')).to.deep.equal({
            'webrtc_connections_total{outcome=connected,path=relay,type=video}': 1,
            'webrtc_connections_total{outcome=connected,path=direct,type=video}': 1,
          }),
        )
        expect(await grown('webrtc_connection_reports_total')).to.deep.equal({
          'webrtc_connection_reports_total{state=connecting,type=video}': 1,
          'webrtc_connection_reports_total{state=connected,type=video}': 2,
        })
        const establishment = await grown('webrtc_establishment_seconds')
        for (const stage of ['join', 'answer'])
          for (const path of ['relay', 'direct']) {
            const labels = `{path=${path},stage=${stage},type=video}`
            expect(establishment[`webrtc_establishment_seconds_count${labels}`]).to.equal(1)
            expect(establishment[`webrtc_establishment_seconds_sum${labels}`])
              .to.be.above(0)
              .and.below((performance.now() - startedAt) / 1000)
          }
        const relay = (name: string) => `${name}{path=relay,type=video}`
        expect(await grown('webrtc_rtt_seconds_sum'))
          .to.have.property(relay('webrtc_rtt_seconds_sum'))
          .closeTo(0.125, 1e-9)
        const jitter = relay('webrtc_jitter_seconds_sum')
        expect((await grown('webrtc_jitter'))[jitter]).to.be.closeTo(0.005, 1e-9)
        const loss = relay('webrtc_packet_loss_ratio_sum')
        expect((await grown('webrtc_packet_loss'))[loss]).to.be.closeTo(0.25, 1e-9)
        const throughput = await grown('webrtc_throughput_bytes_per_second_sum')
        for (const [direction, bytes] of Object.entries({ inbound: 100_000, outbound: 8_000 })) {
          const sample = `webrtc_throughput_bytes_per_second_sum{direction=${direction},path=relay,type=video}`
          expect(throughput[sample]).to.equal(bytes)
        }
      })

      it('count a failure before the connection, and one after it, once each', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { caller: kind, callee: kind })

        await report(caller, 'failed')
        await report(caller, 'failed')
        for (const state of ['connected', 'failed', 'connected', 'failed']) await report(callee, state)

        await eventually(async () =>
          expect(await grown('webrtc_connections_total')).to.deep.equal({
            'webrtc_connections_total{outcome=failed,path=unknown,type=voice}': 1,
            'webrtc_connections_total{outcome=connected,path=unknown,type=voice}': 1,
            'webrtc_connections_total{outcome=lost,path=unknown,type=voice}': 1,
          }),
        )
        // Nobody has answered: there is no time since an answer.
        expect(await grown('webrtc_establishment_seconds_count')).to.deep.equal({
          'webrtc_establishment_seconds_count{path=unknown,stage=join,type=voice}': 1,
        })
      })

      it('put nothing that cannot be true into the metrics, and keep their state', async () => {
        const call = await newCall(cluster)
        const { caller } = await joinBoth(call, { caller: kind })
        const series = new Set(earlier.keys())

        const reply = await report(caller, 'connected', GARBAGE)

        expect(reply.ok).to.equal(true)
        await eventually(async () =>
          expect(await grown('webrtc_connections_total')).to.deep.equal({
            'webrtc_connections_total{outcome=connected,path=unknown,type=voice}': 1,
          }),
        )
        expect(await grown('webrtc_stats_ignored_total')).to.deep.equal({
          'webrtc_stats_ignored_total{reason=value}': 5,
        })
        for (const name of ['webrtc_rtt', 'webrtc_jitter', 'webrtc_packet_loss', 'webrtc_throughput'])
          expect(await grown(name), name).to.deep.equal({})
        const added = [...(await gatewayMetrics(cluster)).keys()].filter((sample) => !series.has(sample))
        expect(added.filter((sample) => /tin can|rtt|jitter|loss|throughput/.test(sample))).to.deep.equal([])
        expect((await call.status()).participants[0]?.connection_status).to.equal('connected')
      })
    })
  }

  it('count a side once, whatever its devices and nodes', async () => {
    const call = await newCall(cluster)
    const { caller } = await joinBoth(call)
    const further = await call.caller.joinAs('socketio', { at: 1 })

    await report(caller, 'connected', { candidate_type: 'host' })
    await eventually(async () =>
      expect(await grown('webrtc_connections_total')).to.deep.equal({
        'webrtc_connections_total{outcome=connected,path=direct,type=voice}': 1,
      }),
    )
    await report(further, 'connected', { candidate_type: 'relay' })
    // Another side on the same node comes after it: when that is counted, the further report was weighed.
    const marker = await newCall(cluster, { type: 'video' })
    await report(await marker.caller.joinAs('raw', { at: 1 }), 'connected')

    await eventually(async () =>
      expect(await grown('webrtc_connections_total')).to.deep.equal({
        'webrtc_connections_total{outcome=connected,path=direct,type=voice}': 1,
        'webrtc_connections_total{outcome=connected,path=unknown,type=video}': 1,
      }),
    )
    expect(await grown('webrtc_establishment_seconds_count')).to.deep.equal({
      'webrtc_establishment_seconds_count{path=direct,stage=join,type=voice}': 1,
      'webrtc_establishment_seconds_count{path=unknown,stage=join,type=video}': 1,
    })
  })

  it('tell of a connection that failed on the way to another node', async () => {
    const call = await newCall(cluster)
    const { caller } = await joinBoth(call)
    await report(caller, 'connected')
    await eventually(async () => expect(Object.keys(await grown('webrtc_connections_total'))).to.have.lengthOf(1))
    await caller.terminate()

    await report(await call.caller.joinAs('raw', { at: 1 }), 'failed')

    await eventually(async () =>
      expect(await grown('webrtc_connections_total')).to.include({
        'webrtc_connections_total{outcome=lost,path=unknown,type=voice}': 1,
      }),
    )
  })

  it('count as never who tried until the end, and nobody who said nothing', async () => {
    const call = await newCall(cluster)
    const { caller, callee } = await joinBoth(call)
    await report(caller, 'connecting')

    await call.end()
    await Promise.all([caller.closed, callee.closed])

    await eventually(async () =>
      expect(await grown('webrtc_connections_total')).to.deep.equal({
        'webrtc_connections_total{outcome=never,path=unknown,type=voice}': 1,
      }),
    )
  })
})

describe('quality reports while Redis is away', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await privateCluster({ gateways: 1, workers: 0, edge: false })
  })
  after(() => cluster.stop())

  it('are taken, and count when a later one finds Redis back', async () => {
    const call = await newCall(cluster)
    const caller = await call.caller.joinAs('raw')
    const report = () => caller.sendAndAck(caller.stateMessage('connected', { stats: STATS }))
    await cluster.stopRedis()

    const reply = await report()
    const [counted, heard] = [await gatewayMetrics(cluster), 'webrtc_rtt_seconds_count{path=relay,type=voice}']
    await cluster.startRedis()

    expect(reply.ok).to.equal(true)
    expect(counted.get(heard)).to.equal(1)
    const outcome = 'webrtc_connections_total{outcome=connected,path=relay,type=voice}'
    expect(counted.get(outcome)).to.equal(undefined)
    await eventually(async () => {
      await report()
      expect((await gatewayMetrics(cluster)).get(outcome)).to.equal(1)
    })
    await report()
    expect((await gatewayMetrics(cluster)).get(outcome)).to.equal(1)
    const log = readFileSync(join(cluster.runDir, 'logs', 'gateway-1.log'), 'utf8')
    expect(log).to.include('"role":"gateway"').and.not.include('unhandled rejection')
  }).timeout(30_000)
})
