/**
 * Socket tickets: a one-time stand-in for a token in the query of a handshake, where logs and histories may keep it.
 * They are in the Redis of the first group, under their hash, so that what Redis holds opens nothing.
 */
import { createHash, randomBytes } from 'node:crypto'
import { AppError } from '../protocol/errors.ts'
import { ticketKey } from '../protocol/keys.ts'
import { CredentialFault } from './credentials.ts'
import { type GuardedRedis, within } from './redis.ts'
import type { Identity } from './token-claims.ts'

/** A client redeems it at once; a slow phone has a few handshakes' time. */
export const TICKET_TTL_MS = 30_000
/** As for other questions of a handshake. */
const REPLY_TIMEOUT_MS = 1000
/** 256 bits: it cannot be guessed. A ticket has no dots, so that it is never taken for a token. */
const TICKET_BYTES = 32
const TICKET = /^wst_[\w-]{43}$/

/** Whether a credential is a ticket; else it is a token. */
export function isTicket(credential: string | undefined): credential is string {
  return credential !== undefined && TICKET.test(credential)
}

export interface IssuedTicket {
  ticket: string
  expiresAt: Date
}

export interface RedeemedTicket {
  identity: Identity
  /** Makes the ticket good again for the rest of its time, for a handshake that goes on elsewhere. @throws SERVICE_UNAVAILABLE */
  putBack(): Promise<void>
}

/** What Redis holds of a ticket, as JSON; times in ms since 1970. */
interface Kept {
  identity: Omit<Identity, 'expiresAt'>
  tokenEndsAt: number
  ticketEndsAt: number
}

export class SocketTickets {
  readonly #redis: GuardedRedis
  readonly #prefix: string

  constructor(redis: GuardedRedis, keyPrefix: string) {
    this.#redis = redis
    this.#prefix = keyPrefix
  }

  /** A ticket that speaks for `identity` once. @throws SERVICE_UNAVAILABLE while Redis is away */
  async issue({ expiresAt, ...identity }: Identity): Promise<IssuedTicket> {
    const ticket = `wst_${randomBytes(TICKET_BYTES).toString('base64url')}`
    const ticketEndsAt = Date.now() + TICKET_TTL_MS
    await this.#keep(ticket, { identity, tokenEndsAt: expiresAt.getTime(), ticketEndsAt })
    return { ticket, expiresAt: new Date(ticketEndsAt) }
  }

  /**
   * Returns the identity behind a ticket and uses the ticket up, even if the handshake is refused afterwards.
   * @throws CredentialFault for a ticket that is unknown, used or too old, or whose token has ended meanwhile;
   *   SERVICE_UNAVAILABLE while Redis is away
   */
  async redeem(ticket: string): Promise<RedeemedTicket> {
    const text = await this.#ask(() => this.#redis.getdel(this.#keyOf(ticket)))
    if (text === null) throw new CredentialFault('The ticket is unknown, used or expired: ask for another one')
    const kept = JSON.parse(text) as Kept
    if (kept.tokenEndsAt <= Date.now()) throw new CredentialFault('The token of the ticket has expired')
    const { userId, deviceId, name, manages } = kept.identity
    return {
      identity: { userId, deviceId, name, manages, expiresAt: new Date(kept.tokenEndsAt) },
      putBack: () => this.#keep(ticket, kept),
    }
  }

  async #keep(ticket: string, kept: Kept): Promise<void> {
    const restMs = Math.min(TICKET_TTL_MS, kept.ticketEndsAt - Date.now())
    if (restMs > 0) await this.#ask(() => this.#redis.set(this.#keyOf(ticket), JSON.stringify(kept), 'PX', restMs))
  }

  #keyOf(ticket: string): string {
    return ticketKey(this.#prefix, createHash('sha256').update(ticket).digest('base64url'))
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await within(REPLY_TIMEOUT_MS, question())
    } catch (cause) {
      throw new AppError('SERVICE_UNAVAILABLE', 'Tickets cannot be read or kept right now', { cause })
    }
  }
}
