/** What DATABASE_URL says of TLS. The driver's own reading of it is not used: see docs/decisions/0101. */
import { ConfigError } from './environment.ts'
import { readPem } from './pem.ts'

/** As Node's `tls.connect` takes it; false is no TLS. */
export type PostgresTls = false | { rejectUnauthorized: boolean; ca?: string }

/**
 * Takes `sslmode` and `sslrootcert` out of the URL: `disable` (or nothing) is no TLS, `verify-full` checks authority and
 * host, `no-verify` encrypts and checks nothing.
 * @throws ConfigError for any other mode: libpq and Node's drivers mean different things by them
 */
export function readPostgresUrl(text: string): { url: string; tls: PostgresTls } {
  const url = new URL(text)
  const mode = url.searchParams.get('sslmode') ?? 'disable'
  const root = url.searchParams.get('sslrootcert')
  for (const name of ['ssl', 'uselibpqcompat', 'sslcert', 'sslkey'])
    if (url.searchParams.has(name))
      throw new ConfigError(`DATABASE_URL has ${name}, which is not supported; use sslmode.`)
  url.searchParams.delete('sslmode')
  url.searchParams.delete('sslrootcert')
  const rest = { url: url.href }
  if (mode === 'disable') return { ...rest, tls: false }
  if (mode === 'no-verify') return { ...rest, tls: { rejectUnauthorized: false } }
  if (mode !== 'verify-full')
    throw new ConfigError(
      'DATABASE_URL must have sslmode disable, verify-full or no-verify: the others promise less than they seem to.',
    )
  const ca = root === null || root === 'system' ? {} : { ca: readPem('sslrootcert of DATABASE_URL', root) }
  return { ...rest, tls: { rejectUnauthorized: true, ...ca } }
}
