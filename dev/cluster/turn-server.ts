// A real coturn on the loopback address, for relayed calls without a network: for tests, and for `TURN=1 make up`.
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { findFreePort } from './ports.ts'
import { makeRunDir } from './run-dir.ts'
import { type ProcessHome, SupervisedProcess } from './supervised-process.ts'
import { COTURN, findTool } from './tools.ts'
import { GiveUp, waitUntil } from './wait-until.ts'

export interface TurnServerOptions {
  /** Secrets that credentials may be signed with; one random one where there is none. */
  secrets?: string[]
  /** Holds its configuration and log; a private one that disappears at the end where it is left out. */
  runDir?: string
  restart?: boolean
  log?: ProcessHome['log']
  onChange?: () => void
}

export interface TurnServer {
  readonly port: number
  /** Null while it is down. */
  readonly pid: number | null
  /** What it says of itself in challenges; credentials are bound to it. */
  readonly realm: string
  /** The product's configuration for it. */
  readonly env: { TURN_URLS: string; TURN_SECRET: string }
  stop(): Promise<void>
}

/** It took 0.1 s where this was written; the rest is for slow and busy machines. */
const START_DEADLINE_MS = 20_000
const STOP_DEADLINE_MS = 5_000
/** Two ends of a call take two relay ports; tests make a few calls at once. */
const RELAY_PORTS = 64
const REALM = 'tchat'

/** Starts a coturn of its own on 127.0.0.1 and returns once it takes connections. */
export async function startTurnServer(options: TurnServerOptions = {}): Promise<TurnServer> {
  const tool = await findTool(COTURN, (line) => options.log?.('turn', line))
  const given = options.secrets?.filter((secret) => secret !== '') ?? []
  const secrets = given.length > 0 ? given : [randomBytes(24).toString('base64url')]
  const runDir = await makeRunDir(options.runDir)
  const port = await findFreePort()
  const file = join(runDir.path, 'turnserver.conf')
  // A file, as arguments are seen by every user of the machine.
  writeFileSync(file, await configuration(port, secrets, runDir.path), { mode: 0o600 })
  const server = new SupervisedProcess(
    { name: 'turn', command: tool.path, args: ['-c', file], env: { ...process.env, ...tool.env } },
    { runDir: runDir.path, restart: options.restart ?? true, log: options.log, onChange: options.onChange },
  )
  const stop = async () => {
    await server.stop(STOP_DEADLINE_MS)
    await server.close()
    runDir.leave()
  }
  try {
    server.start()
    await waitUntil('coturn did not answer', START_DEADLINE_MS, async () => {
      if (server.hasFailed) throw new GiveUp(`it ended (${server.lastExitReason})\n${server.lastLines}`)
      await knock(port)
    })
    server.keepRunning()
  } catch (error) {
    await stop()
    throw error
  }
  const env = { TURN_URLS: `turn:127.0.0.1:${port}?transport=udp`, TURN_SECRET: secrets.join(',') }
  return {
    port,
    realm: REALM,
    env,
    get pid() {
      return server.pid
    },
    stop,
  }
}

/** Loopback peers are refused by default, and rightly so: here both ends of the call are on this machine. */
async function configuration(port: number, secrets: string[], runDir: string): Promise<string> {
  const firstRelayPort = await findFreePort()
  return [
    'listening-ip=127.0.0.1',
    `listening-port=${port}`,
    'relay-ip=127.0.0.1',
    `min-port=${firstRelayPort}`,
    `max-port=${firstRelayPort + RELAY_PORTS - 1}`,
    'use-auth-secret',
    ...secrets.map((secret) => `static-auth-secret=${secret}`),
    `realm=${REALM}`,
    'allow-loopback-peers',
    'no-tls',
    'no-dtls',
    'no-cli',
    `userdb=${join(runDir, 'turndb')}`,
    `pidfile=${join(runDir, 'turn.pid')}`,
    'log-file=stdout',
    'simple-log',
    '',
  ].join('\n')
}

function knock(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve()
    })
    socket.setTimeout(1_000, () => socket.destroy(new Error('no connection')))
    socket.once('error', reject)
  })
}
