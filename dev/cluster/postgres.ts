// A real Postgres for one developer or one test: a data folder, a random password, one server on a free port.
import { chownSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import type { Certificate } from './certificates.ts'
import { findFreePort } from './ports.ts'
import { findPostgresBinaries, folderForPostgres, type PostgresBinaries, postgresUser } from './postgres-binaries.ts'
import { DATABASE, OWNER, prepareData } from './postgres-data.ts'
import { copyFilled, type Filling } from './postgres-filling.ts'
import { makeRunDir, type RunDir } from './run-dir.ts'
import { type ProcessHome, SupervisedProcess } from './supervised-process.ts'
import { GiveUp, waitUntil } from './wait-until.ts'

export interface PostgresOptions {
  /** Holds data and log; a private one that disappears at the end where it is left out. */
  runDir?: string
  /** Data outlives a power cut and the next start. Tests leave it out and get a fast server that forgets. */
  durable?: boolean
  /** What is in the first database of a server that is not durable, from its start; nothing where it is left out. */
  filling?: Filling
  /** Takes TLS connections beside plain ones. */
  certificate?: Certificate
  restart?: boolean
  log?: ProcessHome['log']
  onChange?: () => void
}

export interface Postgres {
  /** Connects as the owner of everything. */
  readonly url: string
  readonly port: number
  /** Null while it is down. */
  readonly pid: number | null
  /** Where data and password are. */
  readonly files: { data: string; password: string }
  /** Makes an empty database beside the first one and returns its URL. */
  createDatabase(name: string): Promise<string>
  /** Starts it again after {@link pause}, on the same port and data. */
  resume(): Promise<void>
  /** Stops the server and keeps its data. */
  pause(): Promise<void>
  kill(signal: NodeJS.Signals): Promise<void>
  /** Stops the server; a private run folder goes too. */
  stop(): Promise<void>
}

/** Initdb took 0.4 s and the start 0.03 s where this was written; the rest is for slow and busy machines. */
const START_DEADLINE_MS = 20_000
const STOP_DEADLINE_MS = 10_000

/** Starts a Postgres of its own on 127.0.0.1 and returns once it answers queries. */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const binaries = findPostgresBinaries()
  const runDir = await makeRunDir(options.runDir)
  const place = folderForPostgres(join(runDir.path, 'postgres'))
  const data = join(place, `data-${majorOf(binaries)}`)
  const { durable = false, filling } = options
  const files = { data, password: join(place, 'password') }
  if (filling !== undefined && !durable) await copyFilled(filling, binaries, files, () => startPostgres())
  const password = prepareData(binaries, place, data, durable)
  const port = await findFreePort()
  const url = (database: string) => `postgres://${OWNER}:${password}@127.0.0.1:${port}/${database}`

  const server = new SupervisedProcess(
    {
      name: 'postgres',
      command: binaries.postgres,
      args: ['-D', data, ...serverSettings(port, durable), ...tlsSettings(options.certificate, place)],
      env: binaries.env,
      cwd: place,
      user: postgresUser(),
    },
    { runDir: runDir.path, restart: options.restart ?? true, log: options.log, onChange: options.onChange },
  )
  const resume = async () => {
    server.start()
    await untilItAnswers(server, url(DATABASE))
    server.keepRunning()
  }
  try {
    await resume()
  } catch (error) {
    await stopAndLeave(server, runDir, place)
    throw error
  }
  return {
    url: url(DATABASE),
    port,
    files,
    get pid() {
      return server.pid
    },
    createDatabase: async (name) => {
      await query(url(DATABASE), `CREATE DATABASE "${name}"`)
      return url(name)
    },
    resume,
    pause: () => server.stop(STOP_DEADLINE_MS),
    kill: (signal) => server.kill(signal),
    stop: () => stopAndLeave(server, runDir, place),
  }
}

async function stopAndLeave(server: SupervisedProcess, runDir: RunDir, place: string): Promise<void> {
  await server.stop(STOP_DEADLINE_MS)
  await server.close()
  if (runDir.isPrivate) rmSync(place, { recursive: true, force: true })
  runDir.leave()
}

function serverSettings(port: number, durable: boolean): string[] {
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    // Socket files need a folder and have a length limit for paths; TCP with a password has neither.
    unix_socket_directories: '',
    // Pools of ten in a dozen processes, with room for a developer's own connections.
    max_connections: 200,
    shared_buffers: '64MB',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  }
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

/** Postgres reads its key only where no other user may. */
function tlsSettings(certificate: Certificate | undefined, place: string): string[] {
  if (certificate === undefined) return []
  const user = postgresUser()
  const files = { ssl_cert_file: certificate.cert, ssl_key_file: certificate.key }
  const settings = Object.entries(files).flatMap(([name, file]) => {
    const copy = join(place, `${name}.pem`)
    writeFileSync(copy, readFileSync(file), { mode: 0o600 })
    if (user) chownSync(copy, user.uid, user.gid)
    return ['-c', `${name}=${copy}`]
  })
  return ['-c', 'ssl=on', ...settings]
}

async function untilItAnswers(server: SupervisedProcess, url: string): Promise<void> {
  await waitUntil('Postgres did not answer', START_DEADLINE_MS, async () => {
    if (server.hasFailed) throw new GiveUp(`it ended (${server.lastExitReason})\n${server.lastLines}`)
    await query(url, 'SELECT 1')
  })
}

async function query(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  // A server that is just stopping may cut an idle connection; the query's own promise tells what matters here.
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query(sql)
  } finally {
    await client.end().catch(() => {})
  }
}

function majorOf(binaries: PostgresBinaries): string {
  return binaries.version.split('.')[0] ?? binaries.version
}
