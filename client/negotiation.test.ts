import { expect } from 'chai'
import { eventually } from '../test/support/eventually.ts'
import { type Random, runSeed, seededRandom } from '../test/support/randomness.ts'
import type { Said } from './call-signaling.ts'
import { Negotiation } from './negotiation.ts'
import type { PeerConnection } from './platform.ts'

const TRIALS = process.env.TRIALS === 'full' ? 1_000 : 100

/** The state machine of the standard, implicit rollback included, without any network: what a trial of crossings needs. */
class PaperConnection implements PeerConnection {
  connectionState: RTCPeerConnectionState = 'new'
  signalingState: RTCSignalingState = 'stable'
  local: RTCSessionDescriptionInit | null = null
  remote: RTCSessionDescriptionInit | null = null
  readonly candidates: string[] = []
  onnegotiationneeded: PeerConnection['onnegotiationneeded'] = null
  onicecandidate: PeerConnection['onicecandidate'] = null
  onconnectionstatechange: PeerConnection['onconnectionstatechange'] = null
  ontrack: PeerConnection['ontrack'] = null
  readonly #name: string
  readonly #lag: () => Promise<void>
  /** The standard's chain of operations: one after the other. */
  #operations: Promise<unknown> = Promise.resolve()
  #waiting = 0
  #offers = 0
  #isNeeded = false

  constructor(name: string, lag: () => Promise<void>) {
    this.#name = name
    this.#lag = lag
  }

  get localDescription(): RTCSessionDescription | null {
    return this.local as RTCSessionDescription | null
  }

  get remoteDescription(): RTCSessionDescription | null {
    return this.remote as RTCSessionDescription | null
  }

  setLocalDescription(): Promise<void> {
    return this.#chain(() => this.#describe())
  }

  setRemoteDescription(description: RTCSessionDescriptionInit): Promise<void> {
    return this.#chain(() => this.#takeDescription(description))
  }

  #describe(): void {
    if (this.signalingState === 'have-remote-offer') {
      this.local = { type: 'answer', sdp: `${this.#name} to ${this.remote?.sdp}` }
      this.#become('stable')
    } else {
      this.#isNeeded = false
      this.#offers += 1
      this.local = { type: 'offer', sdp: `${this.#name} ${this.#offers}` }
      this.#become('have-local-offer')
    }
  }

  #takeDescription(description: RTCSessionDescriptionInit): void {
    const wanted = description.type === 'offer' ? ['stable', 'have-local-offer'] : ['have-local-offer']
    if (!wanted.includes(this.signalingState)) throw new Error(`${description.type} in ${this.signalingState}`)
    // What was to be negotiated still is, once the other side's offer is answered.
    if (description.type === 'offer' && this.signalingState === 'have-local-offer') this.#isNeeded = true
    this.remote = description
    this.#become(description.type === 'offer' ? 'have-remote-offer' : 'stable')
  }

  addIceCandidate(candidate?: RTCIceCandidateInit | null): Promise<void> {
    return this.#chain(() => {
      if (this.remote === null) throw new Error('A candidate before any description')
      this.candidates.push(candidate?.candidate ?? '')
    })
  }

  restartIce(): void {
    this.#isNeeded = true
    this.#become(this.signalingState)
  }

  find(candidate: string): void {
    const event = { candidate: { candidate, sdpMid: '0', sdpMLineIndex: 0 } } as RTCPeerConnectionIceEvent
    this.onicecandidate?.call(this as unknown as RTCPeerConnection, event)
  }

  close(): void {
    this.signalingState = 'closed'
  }

  async #chain(operation: () => void): Promise<void> {
    this.#waiting += 1
    const done = this.#operations.then(() => this.#lag()).then(operation)
    this.#operations = done.catch(() => {})
    try {
      await done
    } finally {
      this.#waiting -= 1
      this.#announce()
    }
  }

  #become(state: RTCSignalingState): void {
    this.signalingState = state
    this.#announce()
  }

  #announce(): void {
    queueMicrotask(() => {
      if (this.#waiting > 0 || this.signalingState !== 'stable' || !this.#isNeeded) return
      this.onnegotiationneeded?.call(this as unknown as RTCPeerConnection, new Event('negotiationneeded'))
    })
  }
}

/** Two sides, and a way between them that keeps the order and takes its time. */
function pair(random: Random, longestLagMs = 3) {
  const errors: unknown[] = []
  const inFlight = { count: 0 }
  const lag = () => new Promise<void>((resolve) => setTimeout(resolve, random() * longestLagMs))
  const make = (name: string, polite: boolean) => {
    const connection = new PaperConnection(name, lag)
    const said: Said[] = []
    let way = Promise.resolve()
    let other: Negotiation | undefined
    const negotiation = new Negotiation({
      connection,
      polite,
      failed: (error) => errors.push(error),
      say: (message) => {
        said.push(message)
        inFlight.count += 1
        way = way.then(lag).then(() => {
          void other?.take(message).then(() => {
            inFlight.count -= 1
          })
        })
      },
    })
    const towards = (end: Negotiation) => {
      other = end
    }
    return { connection, negotiation, said, towards }
  }
  const [caller, callee] = [make('caller', false), make('callee', true)]
  caller.towards(callee.negotiation)
  callee.towards(caller.negotiation)
  return { caller, callee, errors, inFlight }
}

function expectAgreed({ caller, callee, errors, inFlight }: ReturnType<typeof pair>): void {
  expect(inFlight.count).to.equal(0)
  expect(errors).to.deep.equal([])
  for (const { connection } of [caller, callee]) expect(connection.signalingState).to.equal('stable')
  const [a, b] = [caller.connection, callee.connection]
  expect(a.local).to.deep.equal(b.remote)
  expect(b.local).to.deep.equal(a.remote)
}

describe('perfect negotiation', () => {
  it('leaves the first offer to the caller, also where the callee has something to negotiate', async () => {
    const sides = pair(seededRandom(1))
    sides.callee.connection.restartIce()
    sides.caller.connection.restartIce()

    await eventually(() => {
      expect(sides.caller.said.length + sides.callee.said.length).to.be.above(1)
      expectAgreed(sides)
    })

    expect(sides.caller.said[0]).to.deep.equal({ type: 'offer', sdp: 'caller 1' })
    expect(sides.callee.said[0]).to.deep.equal({ type: 'answer', sdp: 'callee to caller 1' })
  })

  it('keeps candidates that are ahead of their description', async () => {
    const { caller, callee, errors } = pair(seededRandom(2))
    await callee.negotiation.take({ type: 'candidate', candidate: 'early', sdp_mid: '0', sdp_m_line_index: 0 })
    expect(callee.connection.candidates).to.deep.equal([])

    caller.connection.restartIce()

    await eventually(() => expect(callee.connection.candidates).to.deep.equal(['early']))
    expect(errors).to.deep.equal([])
  })

  it('sends an offer that got no answer again as it is, and takes one answer of two', async () => {
    const sides = pair(() => 1, 100)
    sides.caller.connection.restartIce()
    await eventually(() => expect(sides.caller.said).to.have.length(1))

    sides.caller.negotiation.restart()

    await eventually(() => {
      expect(sides.callee.said).to.have.length(2)
      expectAgreed(sides)
    })
    expect(sides.caller.said[1]).to.deep.equal(sides.caller.said[0])
  })

  it(`agrees in ${TRIALS} crossings of offers at random moments`, async function () {
    this.timeout(120_000)
    const seed = runSeed()
    let crossed = 0

    const trial = async (index: number) => {
      const random = seededRandom(seed + index)
      const sides = pair(random)
      sides.caller.connection.restartIce()
      await eventually(() => expect(sides.callee.said).to.have.length.above(0))
      for (let round = 0; round < 6; round += 1) {
        for (const side of [sides.caller, sides.callee]) {
          if (random() < 0.5) side.connection.restartIce()
          if (random() < 0.5) side.connection.find(`${index} ${round}`)
        }
        await new Promise((resolve) => setTimeout(resolve, random() * 6))
      }
      await eventually(() => expectAgreed(sides)).catch((error: Error) => {
        throw new Error(`seed ${seed}, trial ${index}: ${error.message}`)
      })
      const offers = sides.callee.said.filter(({ type }) => type === 'offer').length
      const answers = sides.caller.said.filter(({ type }) => type === 'answer').length
      if (offers > answers) crossed += 1
    }
    await Promise.all(Array.from({ length: TRIALS }, (_, index) => trial(index)))

    // Else nothing was tried.
    expect(crossed).to.be.above(TRIALS / 20)
  })
})
