/** Tokens of the demo, signed with the service's own secret. Production has none: loadConfig sees to it. */
import type { Config } from './config.ts'
import { mintToken } from './token-minting.ts'

/** Long enough for a day of trying things out, as `make token`. */
const LIFETIME_SECONDS = 86_400

export interface DemoToken {
  token: string
  expiresAt: Date
}

/** A token of this user, without a device: each window that signs in is a device of its own. */
export function mintDemoToken(tokens: Config['tokens'], user: { userId: string; name: string }, now: Date): DemoToken {
  const token = mintToken(tokens, { ...user, ttlSeconds: LIFETIME_SECONDS })
  const expiresAt = Math.floor(now.getTime() / 1000) + LIFETIME_SECONDS
  return { token, expiresAt: new Date(expiresAt * 1000) }
}
