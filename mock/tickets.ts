/** Tickets that open one socket in place of a token. */
import { randomBytes } from 'node:crypto'
import type { MockClock } from './clock.ts'
import { MockError } from './errors.ts'
import type { Identity } from './tokens.ts'

export const TICKET_TTL_MS = 30_000

export class Tickets {
  readonly #clock: MockClock
  readonly #open = new Map<string, { identity: Identity; untilMs: number }>()

  constructor(clock: MockClock) {
    this.#clock = clock
  }

  make(identity: Identity): { ticket: string; expiresAtMs: number } {
    const ticket = `wst_${randomBytes(32).toString('base64url')}`
    const untilMs = this.#clock.now() + TICKET_TTL_MS
    this.#open.set(ticket, { identity, untilMs })
    return { ticket, expiresAtMs: untilMs }
  }

  /** Uses a ticket up. @throws UNAUTHORIZED */
  take(ticket: string): Identity {
    const known = this.#open.get(ticket)
    this.#open.delete(ticket)
    if (known === undefined || known.untilMs <= this.#clock.now())
      throw new MockError('UNAUTHORIZED', 'The ticket is used, unknown or too old')
    return known.identity
  }
}
