// Certificates for one machine, made by openssl: an authority of our own and what it vouches for. For `make up TLS=1`
// and for tests of TLS; nobody else trusts them, and they are good for a month.
import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findTool, OPENSSL } from './tools.ts'

const run = promisify(execFile)

const VALID_DAYS = '30'
/** One that runs out sooner is made anew. */
const LEAST_LEFT_MS = 7 * 86_400_000

/** Files in PEM. */
export interface Certificate {
  /** The authority's certificate: who has it trusts the other one. */
  ca: string
  cert: string
  key: string
  /** Certificate, then key, as HAProxy wants them. */
  both: string
}

/**
 * A certificate for names and addresses (`DNS:localhost`, `IP:127.0.0.1`), with an authority of its own. What lies in
 * the folder from an earlier call is taken again, so that whoever trusts it need not trust anew.
 */
export async function makeCertificate(folder: string, names: string[]): Promise<Certificate> {
  const files = {
    ca: join(folder, 'ca.pem'),
    cert: join(folder, 'cert.pem'),
    key: join(folder, 'key.pem'),
    both: join(folder, 'both.pem'),
  }
  if (isFresh(files.both)) return files
  const tool = await findTool(OPENSSL)
  mkdirSync(folder, { recursive: true, mode: 0o755 })
  const caKey = join(folder, 'ca-key.pem')
  const openssl = (...args: string[]) => run(tool.path, args, { env: { ...process.env, ...tool.env } })
  const fresh = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const common = ['-days', VALID_DAYS, '-addext']
  await openssl(
    ...fresh,
    '-keyout',
    caKey,
    '-out',
    files.ca,
    '-subj',
    '/CN=Tchat Calling on this machine',
    '-days',
    '30',
  )
  const signed = ['-CA', files.ca, '-CAkey', caKey, '-subj', '/CN=Tchat Calling']
  const extensions = [`subjectAltName=${names.join(',')}`, '-addext', 'basicConstraints=critical,CA:FALSE']
  await openssl(...fresh, '-keyout', files.key, '-out', files.cert, ...signed, ...common, ...extensions)
  writeFileSync(files.both, readFileSync(files.cert, 'utf8') + readFileSync(files.key, 'utf8'), { mode: 0o600 })
  return files
}

function isFresh(file: string): boolean {
  if (!existsSync(file)) return false
  return Date.parse(new X509Certificate(readFileSync(file)).validTo) > Date.now() + LEAST_LEFT_MS
}
