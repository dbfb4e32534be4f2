// Runs the product's migrations to their end, as a deployment would before it starts anything else.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { memberEnv, randomSecret } from './member-env.ts'
import type { Filling } from './postgres-filling.ts'

/** Generous: an empty database takes half a second. */
const DEADLINE_MS = 60_000

interface Reporting {
  log?: (name: string, line: string) => void
  signal?: AbortSignal
}

/** The newest schema of a build, to fill an empty database with. The cluster's settings do not change it. */
export function newestSchema(script: string, reporting: Reporting): Filling {
  // Settings that the product wants to see, and that the migrations have no use for.
  const unused = { port: 1, redisUrl: 'redis://127.0.0.1:6379', jwtSecret: randomSecret(), env: {} }
  const fill = (databaseUrl: string) => runMigrations(script, memberEnv({ ...unused, databaseUrl }), reporting)
  return { key: readFileSync(script, 'utf8'), fill }
}

/** @throws with everything that they printed, when they fail, hang or are aborted */
export async function runMigrations(
  script: string,
  env: Record<string, string>,
  { log, signal }: Reporting,
): Promise<void> {
  const child = spawn(process.execPath, [script], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const output: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => output.push(text))
  }
  const kill = () => child.kill('SIGKILL')
  const timer = setTimeout(kill, DEADLINE_MS)
  signal?.addEventListener('abort', kill, { once: true })
  const reason = await new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, killed) => resolve(code === 0 ? undefined : (killed ?? `exit code ${code}`)))
  })
  clearTimeout(timer)
  signal?.removeEventListener('abort', kill)
  for (const line of output.join('').split('\n').filter(Boolean)) log?.('migrations', line)
  if (reason !== undefined) throw new Error(`The migrations failed (${reason}):\n${output.join('')}`)
}
