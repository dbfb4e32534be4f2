/** Tokens as the auth service would mint them, good ones and bad ones. */
import { randomUUID } from 'node:crypto'
import jwt from 'jsonwebtoken'

export interface TokenClaims {
  /** Anything, so that a test can mint a token for somebody who is no UUID. */
  sub: string
  device_id?: string
  jti?: string
  name?: string
  scope?: string
  /** Seconds since 1970; an hour from now where it is left out. */
  exp?: number
  iss?: string
  aud?: string
}

const HOUR_SECONDS = 3600

/** An HS256 token of the given claims. */
export function mintToken(secret: string, claims: TokenClaims): string {
  return jwt.sign({ exp: nowSeconds() + HOUR_SECONDS, ...claims }, secret, { algorithm: 'HS256' })
}

/** A backend's token: it may act for any user over HTTP. */
export function mintManagerToken(secret: string, sub: string = randomUUID()): string {
  return mintToken(secret, { sub, scope: 'calls:manage' })
}

/** The time that `exp` counts in. */
export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000)
}
