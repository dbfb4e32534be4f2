// A real Redis on a free port, without persistence, as everywhere in this product: what it holds may vanish.
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { findFreePort } from './ports.ts'
import { makeRunDir } from './run-dir.ts'
import { type ProcessHome, SupervisedProcess } from './supervised-process.ts'
import { findTool, REDIS } from './tools.ts'
import { GiveUp, waitUntil } from './wait-until.ts'

export interface RedisOptions {
  /** Holds its log; a private one that disappears at the end where it is left out. */
  runDir?: string
  /** What its process is called; `redis` where it is left out. */
  name?: string
  /** Settings of redis.conf beside ours, or over them. */
  settings?: Record<string, string | number>
  /** Asked of every client; none where it is left out, as for a server that goes with its test. */
  password?: string
  restart?: boolean
  log?: ProcessHome['log']
  onChange?: () => void
}

export interface Redis {
  readonly url: string
  readonly port: number
  /** Null while it is down. */
  readonly pid: number | null
  /** Starts it again after {@link pause}, empty, on the same port. */
  resume(): Promise<void>
  pause(): Promise<void>
  kill(signal: NodeJS.Signals): Promise<void>
  stop(): Promise<void>
}

/** It took 0.03 s where this was written; the rest is for slow and busy machines. */
const START_DEADLINE_MS = 20_000
const STOP_DEADLINE_MS = 5_000

/** Starts a Redis of its own on 127.0.0.1 and returns once it answers. */
export async function startRedis(options: RedisOptions = {}): Promise<Redis> {
  const tool = await findTool(REDIS, (line) => options.log?.('redis', line))
  const runDir = await makeRunDir(options.runDir)
  const port = await findFreePort()
  const settings = {
    port,
    bind: '127.0.0.1',
    save: '',
    appendonly: 'no',
    // A full Redis must refuse, never silently drop a lease or a room.
    'maxmemory-policy': 'noeviction',
    daemonize: 'no',
    dir: runDir.path,
    ...options.settings,
  }
  const server = new SupervisedProcess(
    {
      name: options.name ?? 'redis',
      command: tool.path,
      args: [
        ...passwordFile(runDir.path, options),
        ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
      ],
      env: { ...process.env, ...tool.env },
    },
    { runDir: runDir.path, restart: options.restart ?? true, log: options.log, onChange: options.onChange },
  )
  const resume = async () => {
    server.start()
    await waitUntil('Redis did not answer', START_DEADLINE_MS, async () => {
      if (server.hasFailed) throw new GiveUp(`it ended (${server.lastExitReason})\n${server.lastLines}`)
      await ping(port, options.password)
    })
    server.keepRunning()
  }
  const stop = async () => {
    await server.stop(STOP_DEADLINE_MS)
    await server.close()
    runDir.leave()
  }
  try {
    await resume()
  } catch (error) {
    await stop()
    throw error
  }
  return {
    url: `redis://${options.password === undefined ? '' : `:${options.password}@`}127.0.0.1:${port}`,
    port,
    get pid() {
      return server.pid
    },
    resume,
    pause: () => server.stop(STOP_DEADLINE_MS),
    kill: (signal) => server.kill(signal),
    stop,
  }
}

/** The configuration file with the password, which would stand in the list of processes otherwise. */
function passwordFile(folder: string, { name = 'redis', password }: RedisOptions): string[] {
  if (password === undefined) return []
  const file = join(folder, `${name}.conf`)
  writeFileSync(file, `requirepass ${password}\n`, { mode: 0o600 })
  return [file]
}

function ping(port: number, password: string | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const auth = password === undefined ? '' : `AUTH ${password}\r\n`
    const socket = connect(port, '127.0.0.1', () => socket.write(`${auth}PING\r\n`))
    socket.setTimeout(1_000, () => socket.destroy(new Error('no answer to PING')))
    socket.once('error', reject)
    let reply = ''
    socket.on('data', (data) => {
      reply += data.toString()
      if (!/^(\+PONG|-.*)\r\n/m.test(reply)) return
      socket.destroy()
      if (reply.endsWith('+PONG\r\n')) resolve()
      else reject(new Error(reply.trim()))
    })
  })
}
