// The key of the running cluster's tokens, kept for its owner alone, and the tokens made with it.
import { randomUUID } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import jwt from 'jsonwebtoken'

/** What a token of this cluster must be signed with and say. */
export interface TokenKey {
  secret: string
  issuer?: string
  audience?: string
}

/** Long enough for a day of trying things out. */
const LIFETIME = '24h'

const keyFile = (runDir: string) => join(runDir, 'token-key.json')

/** Keeps the key for `make token` until {@link forgetTokenKey}. */
export function saveTokenKey(runDir: string, key: TokenKey): void {
  rmSync(keyFile(runDir), { force: true })
  writeFileSync(keyFile(runDir), JSON.stringify(key), { mode: 0o600 })
}

export function forgetTokenKey(runDir: string): void {
  rmSync(keyFile(runDir), { force: true })
}

/** The running cluster's key, or `undefined` where none runs or its tokens come from an auth service. */
export function readTokenKey(runDir: string): TokenKey | undefined {
  try {
    return JSON.parse(readFileSync(keyFile(runDir), 'utf8')) as TokenKey
  } catch {
    return undefined
  }
}

/** Claims of a token; a user that is left out is a new one. */
export interface TokenSubject {
  user?: string
  name?: string
  device?: string
  scope?: string
}

/** A token that this key's cluster accepts for a day. */
export function mintToken(key: TokenKey, { user, name, device, scope }: TokenSubject): string {
  const claims = { ...(name && { name }), ...(device && { device_id: device }), ...(scope && { scope }) }
  return jwt.sign(claims, key.secret, {
    algorithm: 'HS256',
    subject: user || randomUUID(),
    expiresIn: LIFETIME,
    ...(key.issuer && { issuer: key.issuer }),
    ...(key.audience && { audience: key.audience }),
  })
}
