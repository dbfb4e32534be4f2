import { expect } from 'chai'
import { FloodGate } from './flood.ts'

const LIMITS = { floodPerSecond: 100, floodBurst: 400 }

describe('FloodGate', () => {
  it('admits a burst of 400 and refuses the 401st', () => {
    const gate = new FloodGate(LIMITS, 0)

    const admitted = Array.from({ length: 401 }, () => gate.admit(0))

    expect(admitted.slice(0, 400).every(Boolean)).to.equal(true)
    expect(admitted[400]).to.equal(false)
  })

  it('admits 100 more in the next second, not 101', () => {
    const gate = new FloodGate(LIMITS, 0)
    for (let sent = 0; sent < 400; sent++) gate.admit(0)

    const admitted = Array.from({ length: 101 }, () => gate.admit(1000)).filter(Boolean)

    expect(admitted).to.have.length(100)
  })

  it('never saves up more than a burst', () => {
    const gate = new FloodGate(LIMITS, 0)

    const admitted = Array.from({ length: 500 }, () => gate.admit(3_600_000)).filter(Boolean)

    expect(admitted).to.have.length(400)
  })
})
