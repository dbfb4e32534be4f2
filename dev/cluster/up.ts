// `make up`: one cluster in the checkout's .run/, in the foreground, until Ctrl-C or `make down`.
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { type Cluster, startCluster } from './cluster.ts'
import type { ClusterDescription } from './description.ts'
import { MOST_GROUPS, startGroups } from './groups.ts'
import { probePort } from './ports.ts'
import { findPostgresBinaries } from './postgres-binaries.ts'
import { stopLeftovers } from './process-identity.ts'
import { startPrometheus } from './prometheus.ts'
import { serveScaling } from './scaling.ts'
import { becomeSupervisor, leaveSupervisor } from './supervisor-lock.ts'
import { createLinePrinter } from './terminal.ts'
import { forgetTokenKey, saveTokenKey } from './token-key.ts'
import { COTURN, findTool, HAPROXY, OPENSSL, PROMETHEUS, REDIS } from './tools.ts'
import { UserError } from './user-error.ts'

/** What an unclean end left behind gets this long to end by itself. */
const LEFTOVER_GRACE_MS = 2_000
/** Its own standard; another one where that is taken. */
const PROMETHEUS_PORT = 9090
/** Contract: "Service Port". */
const STANDARD_PORT = 8093

/** Runs a cluster until a signal ends it. Everything wrong with the machine or the settings is a {@link UserError}. */
export async function up(runDir: string, env: NodeJS.ProcessEnv): Promise<void> {
  mkdirSync(runDir, { recursive: true })
  if (!becomeSupervisor(runDir)) {
    console.log(`A cluster runs here already: ${runningUrl(runDir)} ("make down" stops it).`)
    return
  }
  // `make up | head` closes our output; the cluster must then still be stopped in order.
  for (const output of [process.stdout, process.stderr]) output.on('error', () => {})
  // Asked to scale before there is a cluster: the asker gives up, and nothing dies of the signal.
  process.on('SIGUSR2', () => {})
  const ending = new AbortController()
  const ended = onceSignalled(ending)
  try {
    const cluster = await start(runDir, env, ending.signal)
    serveScaling(runDir, cluster)
    await ended
    console.log('stopping')
    await cluster.stop()
  } catch (error) {
    if (!ending.signal.aborted) throw error
  } finally {
    for (const file of ['cluster.json', 'haproxy.cfg', 'redis.conf']) rmSync(join(runDir, file), { force: true })
    forgetTokenKey(runDir)
    leaveSupervisor(runDir)
  }
}

async function start(runDir: string, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<Cluster> {
  const print = createLinePrinter(process.stdout)
  const leftovers = await stopLeftovers(join(runDir, 'pids'), LEFTOVER_GRACE_MS)
  if (leftovers.length > 0) console.log(`stopped what an unclean end left behind: ${leftovers.join(', ')}`)

  // The logs of one run; older ones would only grow.
  rmSync(join(runDir, 'logs'), { recursive: true, force: true })

  const port = wholeNumber(env, 'PORT', STANDARD_PORT, 65_535)
  const wanted = {
    gateways: wholeNumber(env, 'GATEWAYS', 2, 64),
    apis: wholeNumber(env, 'APIS', 1, 64),
    workers: wholeNumber(env, 'WORKERS', 1, 64),
  }
  const groups = wholeNumber(env, 'CALL_GROUPS', 1, MOST_GROUPS)
  if (groups > 1) refuseBesideGroups(env)
  for (let index = 0; index < groups; index++) {
    const refused = await probePort(port + index)
    if (refused !== undefined) throw new UserError(portAdvice(port + index, refused))
  }
  await findEveryTool(env, print)

  const options = {
    ...wanted,
    port,
    turn: wantsTurn(env),
    tls: isWanted(env.TLS),
    // The page knows one origin of calls, so with groups there is none.
    env: { NODE_ENV: 'development', DEMO_ENABLED: String(groups === 1 && mayShowDemo(env)), ...env },
    databaseUrl: env.DATABASE_URL || undefined,
    redisUrl: env.REDIS_URL || undefined,
    // Everybody on this machine can reach it; cluster.json has its URL, for the owner alone.
    redisPassword: randomBytes(18).toString('base64url'),
    durable: true,
    runDir,
    log: print,
    signal,
  }
  const bare = await (groups > 1 ? startGroups(groups, options) : startCluster(options))
  const cluster = isWanted(env.PROMETHEUS) ? await withPrometheus(bare, print) : bare
  const foreignKey = Boolean(env.JWT_PUBLIC_KEY || env.JWKS_URL)
  if (!foreignKey) {
    saveTokenKey(runDir, { secret: cluster.jwtSecret, issuer: env.JWT_ISSUER, audience: env.JWT_AUDIENCE })
  }
  const { edge } = cluster.description
  console.log(`ready: ${edge?.ca ? 'https' : 'http'}://localhost:${port}`)
  for (const { name, url } of cluster.description.groups) console.log(`group ${name}: ${url}`)
  if (edge?.ca) console.log(`certificate: made here, trust it by ${relative(process.cwd(), edge.ca)} (curl --cacert)`)
  console.log(
    foreignKey
      ? 'token: from your auth service, whose key is configured'
      : 'token: make token user=<uuid>   (without user: a new one; add name=, device=, scope= as you like)',
  )
  return cluster
}

/** The same cluster and a Prometheus that reads it, stopped together. */
async function withPrometheus(cluster: Cluster, print: (name: string, line: string) => void): Promise<Cluster> {
  try {
    const port = (await probePort(PROMETHEUS_PORT)) === undefined ? PROMETHEUS_PORT : undefined
    const home = { runDir: cluster.runDir, restart: true, log: print }
    const prometheus = await startPrometheus(cluster.description, home, { port })
    console.log(`prometheus: http://localhost:${prometheus.port}`)
    const stop = async () => {
      await prometheus.stop()
      await cluster.stop()
    }
    return { ...cluster, stop }
  } catch (error) {
    await cluster.stop()
    throw error
  }
}

/** All that is missing at once, a line each, instead of one after the other. */
async function findEveryTool(env: NodeJS.ProcessEnv, print: (name: string, line: string) => void): Promise<void> {
  const missing: string[] = []
  const attempt = async (look: () => unknown) => {
    try {
      await look()
    } catch (error) {
      missing.push(error instanceof Error ? error.message : String(error))
    }
  }
  if (!env.DATABASE_URL) await attempt(findPostgresBinaries)
  if (!env.REDIS_URL) await attempt(() => findTool(REDIS, (line) => print('redis', line)))
  await attempt(() => findTool(HAPROXY, (line) => print('edge', line)))
  if (isWanted(env.TLS)) await attempt(() => findTool(OPENSSL, (line) => print('edge', line)))
  if (wantsTurn(env)) await attempt(() => findTool(COTURN, (line) => print('turn', line)))
  if (isWanted(env.PROMETHEUS)) await attempt(() => findTool(PROMETHEUS, (line) => print('prometheus', line)))
  if (missing.length > 0) throw new UserError(missing.join('\n'))
}

function refuseBesideGroups(env: NodeJS.ProcessEnv): void {
  for (const name of ['REDIS_URL', 'GROUP_REDIS_URLS', 'TLS', 'DEMO_ENABLED'])
    if (isWanted(env[name]) && env[name] !== 'false')
      throw new UserError(`CALL_GROUPS starts a Redis and an edge for each group: it goes without ${name}.`)
}

/** The demo signs tokens with a secret of its own, and production refuses it. */
function mayShowDemo({ NODE_ENV, JWT_PUBLIC_KEY, JWKS_URL }: NodeJS.ProcessEnv): boolean {
  return NODE_ENV !== 'production' && !JWT_PUBLIC_KEY && !JWKS_URL
}

/** Where there are TURN servers of one's own, none is started. */
function wantsTurn({ TURN, TURN_URLS }: NodeJS.ProcessEnv): boolean {
  return isWanted(TURN) && !TURN_URLS
}

const isWanted = (setting: string | undefined) => Boolean(setting) && setting !== '0'

/** Ctrl-C once ends everything in order, twice at once (the processes are killed as this one exits). */
function onceSignalled(ending: AbortController): Promise<void> {
  return new Promise((resolve) => {
    const onSignal = () => {
      if (ending.signal.aborted) process.exit(130)
      ending.abort()
      resolve()
    }
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal)
    process.on('SIGHUP', startedByNohup() ? () => {} : onSignal)
  })
}

/** Node forgets at its start that a hang-up was to be ignored; the process that started it (make, npm) has not. */
function startedByNohup(): boolean {
  try {
    const ignored = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${process.ppid}/status`, 'utf8'))?.[1]
    return (BigInt(`0x${ignored}`) & 1n) === 1n
  } catch {
    return false
  }
}

function wholeNumber(env: NodeJS.ProcessEnv, name: string, standard: number, most: number): number {
  const text = env[name]
  if (text === undefined || text === '') return standard
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < 1 || value > most) {
    throw new UserError(`${name} must be a whole number from 1 to ${most}, not "${text}".`)
  }
  return value
}

function portAdvice(port: number, code: string): string {
  if (code === 'EADDRINUSE') return `Port ${port} is taken. Free it or choose another one: PORT=9093 make up`
  if (code === 'EACCES') return `Port ${port} is not allowed for you. Choose one above 1023: PORT=9093 make up`
  return `Nobody can listen on port ${port} here (${code}). Choose another one: PORT=9093 make up`
}

function runningUrl(runDir: string): string {
  try {
    const { edge } = JSON.parse(readFileSync(join(runDir, 'cluster.json'), 'utf8')) as ClusterDescription
    return `${edge?.ca ? 'https' : 'http'}://localhost:${edge?.port}`
  } catch {
    return 'it is just starting or stopping'
  }
}
