import { expect } from 'chai'
import { type LinkSample, qualityBetween, sampleOf } from './link-quality.ts'

const REPORT = [
  { id: 'T', type: 'transport', selectedCandidatePairId: 'P2' },
  { id: 'P1', type: 'candidate-pair', nominated: true, state: 'succeeded', currentRoundTripTime: 9 },
  { id: 'P2', type: 'candidate-pair', currentRoundTripTime: 0.05, localCandidateId: 'L', remoteCandidateId: 'R' },
  { id: 'L', type: 'local-candidate', candidateType: 'host' },
  { id: 'R', type: 'remote-candidate', candidateType: 'relay' },
  { id: 'A', type: 'inbound-rtp', jitter: 0.004, packetsLost: 1, packetsReceived: 99, bytesReceived: 1000 },
  { id: 'V', type: 'inbound-rtp', jitter: 0.012, packetsLost: 2, packetsReceived: 198, bytesReceived: 9000 },
  { id: 'O', type: 'outbound-rtp', bytesSent: 500 },
]

const FIRST: LinkSample = sampleOf(REPORT, 1_000)

describe('the quality of a connection', () => {
  it('is read from the pair in use and from all streams', () => {
    expect(FIRST).to.deep.equal({
      atMs: 1_000,
      rttMs: 50,
      jitterMs: 12,
      packetsLost: 3,
      packetsReceived: 297,
      bytesReceived: 10_000,
      bytesSent: 500,
      isRelayed: true,
    })
  })

  it('takes the nominated pair where a browser names no transport', () => {
    expect(sampleOf(REPORT.slice(1), 0).rttMs).to.equal(9_000)
    expect(sampleOf([], 0)).to.include({ rttMs: undefined, jitterMs: undefined, packetsReceived: 0 })
  })

  it('counts what was lost since the look before', () => {
    const later = {
      ...FIRST,
      atMs: 3_000,
      packetsLost: 4,
      packetsReceived: 396,
      bytesReceived: 35_000,
      bytesSent: 3_000,
    }

    expect(qualityBetween(FIRST, later)).to.deep.include({ lossRatio: 0.01, receivedBps: 100_000, sentBps: 10_000 })
  })

  const grades: [string, Partial<LinkSample>, string][] = [
    ['nothing stands out', {}, 'good'],
    ['a word takes long', { rttMs: 250 }, 'fair'],
    ['a word takes very long', { rttMs: 500 }, 'poor'],
    ['packets come unevenly', { jitterMs: 60 }, 'fair'],
    ['some are lost', { packetsLost: 7 }, 'fair'],
    ['many are lost', { packetsLost: 20 }, 'poor'],
    ['none come', { packetsReceived: 297 }, 'poor'],
  ]
  for (const [title, change, grade] of grades)
    it(`is ${grade} where ${title}`, () => {
      const later = { ...FIRST, atMs: 3_000, packetsReceived: 397, ...change }

      expect(qualityBetween(FIRST, later).grade).to.equal(grade)
    })

  it('is not negative after counters began anew', () => {
    const later = { ...FIRST, atMs: 2_000, packetsLost: 0, packetsReceived: 0, bytesReceived: 0, bytesSent: 0 }

    expect(qualityBetween(FIRST, later)).to.include({ lossRatio: undefined, receivedBps: 0, sentBps: 0 })
  })
})
