import { expect } from 'chai'
import { readConnectionStats } from '../gateway/connection-stats.ts'
import { eventually } from '../test/support/eventually.ts'
import type { PeerConnection } from './platform.ts'
import { QualityReports } from './quality.ts'

/** As a browser reports a call, `scale` seconds after its start. */
function statsAt(scale: number): Map<string, Record<string, unknown>> {
  const stats = [
    { id: 'T', type: 'transport', selectedCandidatePairId: 'P' },
    {
      id: 'P',
      type: 'candidate-pair',
      localCandidateId: 'L',
      remoteCandidateId: 'R',
      currentRoundTripTime: 0.02,
    },
    { id: 'L', type: 'local-candidate', candidateType: 'srflx' },
    { id: 'R', type: 'remote-candidate', candidateType: 'host' },
    { id: 'A', type: 'inbound-rtp', jitter: 0.003, packetsLost: scale, packetsReceived: 99 * scale, bytesReceived: 1 },
    { id: 'V', type: 'inbound-rtp', jitter: 0.001, packetsLost: 0, packetsReceived: 0, bytesReceived: 1000 * scale },
    { id: 'O', type: 'outbound-rtp', bytesSent: 500 * scale },
  ]
  return new Map(stats.map((stat) => [stat.id, stat]))
}

describe('reports of a peer connection', () => {
  it('have what the service reads, in its units', async () => {
    let scale = 1
    const reported: { state: string; stats: Record<string, unknown> | undefined }[] = []
    const connection = {
      connectionState: 'connected',
      getStats: async () => statsAt(scale) as unknown as RTCStatsReport,
    } as PeerConnection
    const reports = new QualityReports(connection, (state, stats) => reported.push({ state, stats }))
    try {
      await reports.send()
      scale = 2
      const firstAt = Date.now()
      await eventually(() => expect(Date.now()).to.be.above(firstAt))
      await reports.send()
    } finally {
      reports.close()
    }

    expect(reported[0]).to.deep.equal({
      state: 'connected',
      stats: { rtt_ms: 20, candidate_type: 'srflx', jitter_ms: 3 },
    })
    const stats = reported[1]?.stats ?? {}
    expect(stats).to.include({ packet_loss_ratio: 0.01 })
    expect(Number(stats.inbound_bitrate_bps) / Number(stats.outbound_bitrate_bps)).to.be.closeTo(2, 0.001)
    expect(readConnectionStats(stats)).to.include({
      ignored: 0,
      rttSeconds: 0.02,
      jitterSeconds: 0.003,
      path: 'direct',
    })
  })

  it('report a state once, and nothing of a closed connection', async () => {
    const states: string[] = []
    const connection = { connectionState: 'new' } as { connectionState: RTCPeerConnectionState }
    const reports = new QualityReports(connection as PeerConnection, (state) => states.push(state))
    for (const state of ['new', 'connecting', 'failed', 'failed', 'closed'] as const) {
      connection.connectionState = state
      reports.changed()
    }
    reports.close()

    expect(states).to.deep.equal(['connecting', 'failed'])
  })
})
