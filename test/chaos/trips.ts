/** The way of a client from a lost connection back into its room, and where its time went. */

/** Who ended the connection: the server or what is between, or the client whose message was not acknowledged in time. */
export type Cause = 'cut' | 'gave up'

/** Milliseconds by stage. A handshake that failed counts with the time that it took to fail. */
export interface Stages {
  /** The client's own pauses: its backoff, or what a refusal advised. */
  waiting: number
  failed: number
  /** The handshake that led somewhere. */
  handshake: number
  /** From the open connection into the room. */
  room: number
}

export interface Spread {
  count: number
  p50: number
  p99: number
  max: number
}

/** One loss, until the client is in its room again. */
export class Trip {
  readonly cause: Cause
  readonly stages: Stages = { waiting: 0, failed: 0, handshake: 0, room: 0 }
  /** Why handshakes failed on the way, in the transport's words. */
  readonly failures: string[] = []
  readonly #startedAt: number
  #stageAt: number

  constructor(cause: Cause, now: number) {
    this.cause = cause
    this.#startedAt = now
    this.#stageAt = now
  }

  /** The client begins a handshake. */
  connecting(now: number): void {
    this.#next('waiting', now)
  }

  /** The connection stands. */
  opened(now: number): void {
    this.#next('handshake', now)
  }

  /** The attempt led nowhere: the next pause begins. */
  failed(why: string, now: number): void {
    this.stages.failed += this.stages.handshake
    this.stages.handshake = 0
    this.#next('failed', now)
    this.failures.push(why)
  }

  /** The client is in its room: how long it was away, ms. */
  arrived(now: number): number {
    this.#next('room', now)
    return now - this.#startedAt
  }

  #next(stage: keyof Stages, now: number): void {
    this.stages[stage] += now - this.#stageAt
    this.#stageAt = now
  }
}

/** All ways back of a run. */
export class Trips {
  readonly #arrived: { trip: Trip; tookMs: number }[] = []

  add(trip: Trip, now: number): void {
    this.#arrived.push({ trip, tookMs: trip.arrived(now) })
  }

  spread(cause: Cause): Spread {
    return spreadOf(this.#of(cause).map(({ tookMs }) => tookMs))
  }

  /** Where the time went, on average, of all ways back after this cause, or of the slowest part of them. */
  stages(cause: Cause, slowest = 1): Stages & { failures: Record<string, number> } {
    const all = this.#of(cause).toSorted((x, y) => y.tookMs - x.tookMs)
    const some = all.slice(0, Math.ceil(all.length * slowest))
    const mean = (stage: keyof Stages) =>
      Math.round(some.reduce((sum, { trip }) => sum + trip.stages[stage], 0) / Math.max(1, some.length))
    const failures: Record<string, number> = {}
    for (const why of some.flatMap(({ trip }) => trip.failures)) failures[why] = (failures[why] ?? 0) + 1
    const stages = {
      waiting: mean('waiting'),
      failed: mean('failed'),
      handshake: mean('handshake'),
      room: mean('room'),
    }
    return { ...stages, failures }
  }

  #of(cause: Cause) {
    return this.#arrived.filter(({ trip }) => trip.cause === cause)
  }
}

/** Milliseconds in their order; a quantile is a value that was measured. */
export function spreadOf(values: number[]): Spread {
  const sorted = values.toSorted((x, y) => x - y)
  const at = (part: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0)
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: Math.round(sorted.at(-1) ?? 0) }
}
