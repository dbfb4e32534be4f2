/** Users of the target: new ones for each trial where tokens can be minted, else those whose tokens were given. */
import { createHmac, randomUUID } from 'node:crypto'
import type { Settings } from './settings.ts'

export interface User {
  id: string
  token: string
}

/** Claims of a token; `exp` is an hour from now where it is left out, and none where it is null. */
export interface Claims {
  sub?: unknown
  exp?: unknown
  device_id?: unknown
  scope?: unknown
  [name: string]: unknown
}

const base64url = (text: string) => Buffer.from(text).toString('base64url')

/** A JSON Web Token, signed with HS256 (RFC 7515), or not at all where the header says another algorithm. */
export function mint(secret: string, claims: Claims, header: Record<string, unknown> = {}): string {
  const { exp = Math.floor(Date.now() / 1000) + 3600, ...others } = claims
  const head = { alg: 'HS256', typ: 'JWT', ...header }
  const payload = exp === null ? others : { exp, ...others }
  const signed = `${base64url(JSON.stringify(head))}.${base64url(JSON.stringify(payload))}`
  if (head.alg !== 'HS256') return `${signed}.`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

/** The user of a token that was given. @throws where it is no JSON Web Token */
export function userOf(token: string): User {
  const payload = token.split('.')[1]
  const claims = JSON.parse(Buffer.from(payload ?? '', 'base64url').toString()) as { sub?: unknown }
  if (typeof claims.sub !== 'string') throw new Error('A token of --tokens has no sub')
  return { id: claims.sub.toLowerCase(), token }
}

/**
 * Lends users to trials. Each is one trial's alone while it runs: a user can be in one call only. Where there are
 * fewer than the trials of the moment need, they wait.
 */
export class Users {
  readonly #secret: string | undefined
  readonly #free: User[]
  readonly #all: number
  #waiting: (() => void)[] = []

  constructor({ secret, tokens }: Settings) {
    this.#secret = secret
    this.#free = tokens.map(userOf)
    this.#all = tokens.length
  }

  /** @throws where the target has fewer users than a trial needs at once */
  async borrow(count: number): Promise<User[]> {
    const secret = this.#secret
    if (secret !== undefined) return Array.from({ length: count }, () => newUser(secret))
    if (count > this.#all) throw new Error(`This trial needs ${count} users, and --tokens has ${this.#all}`)
    while (this.#free.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    return this.#free.splice(0, count)
  }

  giveBack(users: User[]): void {
    // To the end: the limits of those who have just called have the longest time to pass.
    if (this.#secret === undefined) this.#free.push(...users)
    for (const wake of this.#waiting.splice(0)) wake()
  }
}

function newUser(secret: string): User {
  const id = randomUUID()
  return { id, token: mint(secret, { sub: id }) }
}
