import { expect } from 'chai'
import { readConnectionStats } from './connection-stats.ts'

const NOTHING = {
  rttSeconds: undefined,
  jitterSeconds: undefined,
  lossRatio: undefined,
  inboundBytesPerSecond: undefined,
  outboundBytesPerSecond: undefined,
  path: 'unknown',
  ignored: 0,
}

describe('readConnectionStats', () => {
  it('turns what clients report into base units', () => {
    const stats = {
      rtt_ms: 125,
      jitter_ms: 5,
      packet_loss_ratio: 0.25,
      inbound_bitrate_bps: 800_000,
      outbound_bitrate_bps: 64_000,
      candidate_type: 'srflx',
    }

    expect(readConnectionStats(stats)).to.deep.equal({
      rttSeconds: 0.125,
      jitterSeconds: 0.005,
      lossRatio: 0.25,
      inboundBytesPerSecond: 100_000,
      outboundBytesPerSecond: 8_000,
      path: 'direct',
      ignored: 0,
    })
  })

  it('takes what is there, and none of what it does not know', () => {
    expect(readConnectionStats({})).to.deep.equal(NOTHING)
    expect(readConnectionStats({ rtt_ms: 0, jitter_ms: null, codec: 'VP8', packets_lost: -1 })).to.deep.equal({
      ...NOTHING,
      rttSeconds: 0,
    })
  })

  // 1e999 is how JSON says Infinity.
  for (const garbage of [JSON.parse('1e999'), Number.NaN, -1, 60_001, '20', true, [20], { valueOf: 20 }, 'NaN'])
    it(`leaves out ${typeof garbage} ${JSON.stringify(garbage)} as a time`, () => {
      expect(readConnectionStats({ rtt_ms: garbage, jitter_ms: 1 })).to.deep.equal({
        ...NOTHING,
        jitterSeconds: 0.001,
        ignored: 1,
      })
    })

  it('leaves out more loss than everything, and more bits than a gigabit a second', () => {
    const stats = { packet_loss_ratio: 1.01, inbound_bitrate_bps: 1e9 + 1, outbound_bitrate_bps: -8 }

    expect(readConnectionStats(stats)).to.deep.equal({ ...NOTHING, ignored: 3 })
    expect(readConnectionStats({ packet_loss_ratio: 1, inbound_bitrate_bps: 1e9 }).ignored).to.equal(0)
  })

  it('knows two paths, whatever a client calls its own', () => {
    const path = (candidate_type: unknown) => readConnectionStats({ candidate_type }).path

    expect(['host', 'srflx', 'prflx', 'relay'].map(path)).to.deep.equal(['direct', 'direct', 'direct', 'relay'])
    for (const other of ['HOST', '', 'x'.repeat(1000), 7, {}, 'constructor']) expect(path(other)).to.equal('unknown')
    expect(readConnectionStats({ candidate_type: 'HOST' }).ignored).to.equal(1)
  })
})
