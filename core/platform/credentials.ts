/** Where a request or a handshake carries its credential: one parser for REST, raw WebSocket and Socket.IO. Pure. */
import { AppError } from '../protocol/errors.ts'

export interface CredentialSources {
  /** The header `Authorization`. */
  authorization: string | undefined
  /** A parameter of a handshake: Socket.IO's `auth`, else the query. Left out where a door takes the header alone. */
  parameter?(name: string): string | undefined
}

/**
 * The credential, still unverified: the handshake's `token`, else its `ticket`, else the header's bearer token. A blank
 * one counts as absent, so that an empty `?token=` does not hide a good header. Undefined where there is none.
 */
export function readCredential({ authorization, parameter }: CredentialSources): string | undefined {
  for (const name of ['token', 'ticket']) {
    const text = parameter?.(name)?.trim()
    if (text) return text
  }
  return readBearer(authorization)
}

/** One or more blanks follow the scheme, whose letter case does not matter (RFC 9110 sections 11.1 and 11.4). */
function readBearer(header: string | undefined): string | undefined {
  const text = /^Bearer[ \t]+(.*)$/i.exec(header?.trim() ?? '')?.[1]?.trim()
  return text === '' ? undefined : text
}

/** A credential that is missing or not accepted; `challenge` belongs into `WWW-Authenticate` (RFC 6750 section 3). */
export class CredentialFault extends AppError {
  readonly challenge: string

  constructor(message: string, { isMissing = false }: { isMissing?: boolean } = {}) {
    super('UNAUTHORIZED', message)
    this.challenge = isMissing ? CHALLENGE : `${CHALLENGE}, error="invalid_token"`
  }
}

const CHALLENGE = 'Bearer realm="calling"'

/** The value of `WWW-Authenticate` for a refusal; undefined where it is no 401. */
export function challengeOf(error: AppError): string | undefined {
  if (error.status !== 401) return undefined
  return error instanceof CredentialFault ? error.challenge : CHALLENGE
}
