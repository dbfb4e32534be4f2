/** Calls that were connected before the storm and go on through it: how long their messages take meanwhile. */
import type { Cluster } from '../../../dev/cluster/cluster.ts'
import { newCall } from '../../support/calls.ts'
import { RawLink } from '../raw-link.ts'
import { type Spread, spreadOf } from '../trips.ts'

/** Between two messages of a call; unlike the spacing of flushes and of beats, so that all of their phases are met. */
const PAUSE_MS = 53

export class RelayProbe {
  readonly #links: RawLink[] = []
  readonly #timers: NodeJS.Timeout[] = []
  #times: number[] = []
  #sent = 0
  #delivered = 0
  #closed = 0

  /** Calls whose callers are on the first of two gateways and whose callees are on either, in turn. */
  static async start(cluster: Cluster, calls: number, at: [number, number]): Promise<RelayProbe> {
    const probe = new RelayProbe()
    for (let index = 0; index < calls; index++) await probe.#open(cluster, [at[0], at[index % 2] as number])
    return probe
  }

  async #open(cluster: Cluster, at: [number, number]): Promise<void> {
    const call = await newCall(cluster)
    await call.answer()
    const joined = [call.caller, call.callee].map(
      (party, side) =>
        new Promise<RawLink>((resolve) => {
          const { url } = cluster.gateway(at[side] as number)
          const options = { url, callId: call.id, token: party.token, device: '', since: undefined }
          const link: RawLink = new RawLink(
            { ...options, anywhere: false, handshakeMs: 5000 },
            {
              onOpen: () => link.send({ type: 'join-room', call_id: call.id, user_id: party.id }),
              onMessage: (message) => {
                if (message.type === 'user-joined' && message.user_id === party.id) resolve(link)
                if (message.type !== 'candidate') return
                this.#delivered += 1
                this.#times.push(performance.now() - Number(message.candidate))
              },
              onAck: () => {},
              onClosed: () => {
                this.#closed += 1
              },
            },
          )
          this.#links.push(link)
        }),
    )
    const [caller] = await Promise.all(joined)
    const timer = setInterval(() => {
      this.#sent += 1
      const ids = { call_id: call.id, from: call.caller.id, to: call.callee.id }
      caller?.send({ type: 'candidate', ...ids, candidate: String(performance.now()), sdp_mid: '0' })
    }, PAUSE_MS)
    this.#timers.push(timer)
  }

  /** What was measured since the last look, ms. */
  take(): Spread {
    const spread = spreadOf(this.#times)
    this.#times = []
    return spread
  }

  get lost(): number {
    return this.#sent - this.#delivered
  }

  get closed(): number {
    return this.#closed
  }

  /** Sends no more; what is under way may still arrive. */
  quiet(): void {
    for (const timer of this.#timers) clearInterval(timer)
  }

  stop(): void {
    this.quiet()
    for (const link of this.#links) link.drop()
  }
}
