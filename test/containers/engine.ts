/** A Docker engine for one trial: the one that answers already, or a private one that leaves nothing behind. */
import { execFileSync, type SpawnSyncOptions, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '../support/eventually.ts'

const START_DEADLINE_MS = 30_000
const STOP_DEADLINE_MS = 60_000
/** Debian's client comes first: it fits Debian's engine and compose. */
const DOCKER = existsSync('/usr/bin/docker') ? '/usr/bin/docker' : 'docker'

export interface Engine {
  /** For people. */
  title: string
  /** Runs a command of Docker and returns what it printed. @throws with its words where it fails */
  docker(args: string[], options?: CommandOptions): string
  /** `docker compose`, by whatever name it is there. */
  compose(args: string[], options?: CommandOptions): string
  stop(): Promise<void>
}

export interface CommandOptions {
  cwd?: string
  env?: Record<string, string>
  /** Shows what it prints instead of returning it. */
  shown?: boolean
  input?: SpawnSyncOptions['input']
}

/**
 * Finds an engine, or starts one as root with data of its own.
 * @throws with a line that says what to install
 */
export async function findEngine(): Promise<Engine> {
  if (answers(process.env)) return engineOf('the engine of this machine', process.env, async () => {})
  if (process.getuid?.() !== 0 || spawnSync('dockerd', ['--version']).status !== 0)
    throw new Error(
      'No Docker engine answers. Start one, or run this as root with Debian’s: apt-get install docker.io docker-compose iptables',
    )
  return startEngine()
}

function answers(env: NodeJS.ProcessEnv): boolean {
  return spawnSync(DOCKER, ['version', '--format', '{{.Server.Version}}'], { env, timeout: 10_000 }).status === 0
}

async function startEngine(): Promise<Engine> {
  const folder = mkdtempSync(join(tmpdir(), 'tchat-calling-docker-'))
  const env = { ...process.env, DOCKER_HOST: `unix://${folder}/docker.sock` }
  const log = join(folder, 'dockerd.log')
  const args = ['--host', env.DOCKER_HOST, '--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec')]
  // It changes nothing of the machine: no packet filter, no forwarding, no bridge that stays. Ports are published by its
  // proxy, and what is built has the machine's own network.
  const quiet = ['--iptables=false', '--ip6tables=false', '--ip-forward=false', '--ip-masq=false', '--bridge=none']
  const daemon = spawn('dockerd', [...args, ...quiet, '--pidfile', join(folder, 'pid')], {
    stdio: ['ignore', openSync(log, 'w'), openSync(log, 'a')],
    detached: true,
  })
  let ended = false
  daemon.once('exit', () => {
    ended = true
  })
  const stop = async () => {
    if (!ended) daemon.kill('SIGTERM')
    await eventually(() => {
      if (!ended) throw new Error('dockerd has not ended')
    }, STOP_DEADLINE_MS)
    // A network namespace is mounted in there for as long as the engine runs, and sometimes longer.
    spawnSync('sh', ['-c', `umount ${folder}/exec/netns/* ${folder}/data/overlay2/*/merged 2>/dev/null`])
    rmSync(folder, { recursive: true, force: true })
  }
  // However this process ends, the engine does.
  process.once('exit', () => {
    if (!ended) daemon.kill('SIGTERM')
  })
  try {
    await eventually(() => {
      if (ended) throw new Error(`dockerd ended: ${readFileSync(log, 'utf8').slice(-500)}`)
      if (!answers(env)) throw new Error('it does not answer')
    }, START_DEADLINE_MS)
  } catch (error) {
    await stop()
    throw error
  }
  return engineOf('a private engine', env, stop)
}

function engineOf(place: string, env: NodeJS.ProcessEnv, stop: () => Promise<void>): Engine {
  const version = execFileSync(DOCKER, ['version', '--format', '{{.Server.Version}}'], { env, encoding: 'utf8' }).trim()
  const driver = execFileSync(DOCKER, ['info', '--format', '{{.Driver}}'], { env, encoding: 'utf8' }).trim()
  const hasPlugin = spawnSync(DOCKER, ['compose', 'version'], { env }).status === 0
  const compose: [string, string[]] = hasPlugin ? [DOCKER, ['compose']] : ['docker-compose', []]
  return {
    title: `${place}, Docker ${version} (${driver}), ${hasPlugin ? 'docker compose' : 'docker-compose'}`,
    docker: (args, options) => run(DOCKER, args, env, options),
    compose: (args, options) => run(compose[0], [...compose[1], ...args], env, options),
    stop,
  }
}

function run(command: string, args: string[], env: NodeJS.ProcessEnv, options: CommandOptions = {}): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: options.cwd,
    env: { ...env, ...options.env },
    input: options.input,
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
    stdio: [
      options.input === undefined ? 'ignore' : 'pipe',
      options.shown ? 'inherit' : 'pipe',
      options.shown ? 'inherit' : 'pipe',
    ],
  })
  if (status === 0) return stdout ?? ''
  const words = [error?.message, stderr, stdout].filter(Boolean).join('\n').slice(-3000)
  throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${words}`)
}
