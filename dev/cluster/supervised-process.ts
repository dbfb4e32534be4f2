// One child process of the cluster: its log, its pid note, its restarts and its ordered end. Knows no role.
import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { forgetPid, notePid, stopSignalFor } from './process-identity.ts'

/** What to run. */
export interface ProcessSpec {
  name: string
  command: string
  args: string[]
  env: Record<string, string | undefined>
  cwd?: string
  /** Another user to run as; only root may ask for one. */
  user?: { uid: number; gid: number }
}

/** Where a process lives and who hears of it. */
export interface ProcessHome {
  /** Holds `logs/<name>.log` and `pids/<name>.json`. */
  runDir: string
  /** Starts the process again when it ends without having been asked to. */
  restart: boolean
  /** Gets every line that a process prints, and the supervisor's own remarks about it. */
  log?: (name: string, line: string) => void
  /** Called whenever a process came or went. */
  onChange?: () => void
}

/** Like Kubernetes' crash-loop back-off, but for a developer who waits: 100 ms, doubling up to 5 s. */
const FIRST_RESTART_DELAY_MS = 100
const LAST_RESTART_DELAY_MS = 5_000
/** A process that lived this long did not crash at its start, so its next restart is immediate again. */
const STABLE_AFTER_MS = 10_000
/** How many lines a failure shows. */
const TAIL_LINES = 20

/** A child process that is kept running until it is stopped. */
export class SupervisedProcess {
  readonly name: string
  private readonly spec: ProcessSpec
  private readonly home: ProcessHome
  private readonly logFile: WriteStream
  private readonly tail: string[] = []
  private child: ChildProcess | undefined
  private wanted = false
  private restarting = false
  private restartTimer: NodeJS.Timeout | undefined
  private restartDelayMs = FIRST_RESTART_DELAY_MS
  private lastExit: string | undefined

  constructor(spec: ProcessSpec, home: ProcessHome) {
    this.name = spec.name
    this.spec = spec
    this.home = home
    mkdirSync(join(home.runDir, 'logs'), { recursive: true })
    mkdirSync(join(home.runDir, 'pids'), { recursive: true })
    this.logFile = createWriteStream(join(home.runDir, 'logs', `${spec.name}.log`), { flags: 'a' })
    living.add(this)
  }

  /** The pid now, or null while it is down. */
  get pid(): number | null {
    return this.child?.pid ?? null
  }

  /** How the process ended last, in words (`exit code 1`, `SIGKILL`), if it ever did. */
  get lastExitReason(): string | undefined {
    return this.lastExit
  }

  /** The last lines that it printed. */
  get lastLines(): string {
    return this.tail.join('\n')
  }

  /** Starts it; restarts begin only after {@link keepRunning}, so that a failing first start is reported, not repeated. */
  start(): void {
    this.wanted = true
    this.restarting = false
    if (!this.child) this.spawn()
  }

  /** From now on an end that nobody asked for is followed by a start, if its home wants restarts. */
  keepRunning(): void {
    this.restarting = this.home.restart
  }

  /** True when it ended and nobody will start it again: a failed first start, or one with restarts switched off. */
  get hasFailed(): boolean {
    return this.child === undefined && !this.restarting
  }

  /** Sends a signal as the outside world would: the process is started again if it dies of it. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const child = this.child
    if (!child) return
    const exited = exitOf(child)
    child.kill(signal)
    if (signal === 'SIGKILL') await exited
  }

  /** Ends it for good: its stop signal, then SIGKILL after `deadlineMs`. It may be started again by {@link start}. */
  async stop(deadlineMs: number): Promise<void> {
    this.wanted = false
    clearTimeout(this.restartTimer)
    const child = this.child
    if (!child) return
    const exited = exitOf(child)
    child.kill(stopSignalFor(this.name))
    const timer = setTimeout(() => {
      this.say(`did not stop within ${deadlineMs} ms, killing it`)
      child.kill('SIGKILL')
    }, deadlineMs)
    await exited
    clearTimeout(timer)
  }

  /** Closes the log after a last {@link stop}. */
  async close(): Promise<void> {
    living.delete(this)
    await new Promise<void>((resolve) => this.logFile.end(() => resolve()))
  }

  /** The last resort when this very process ends without having stopped its cluster. */
  killNow(): void {
    this.wanted = false
    this.child?.kill('SIGKILL')
  }

  private spawn(): void {
    const { name, command, args, env, cwd, user } = this.spec
    const bornAt = Date.now()
    const child = spawn(command, args, {
      env,
      cwd,
      uid: user?.uid,
      gid: user?.gid,
      stdio: ['ignore', 'pipe', 'pipe'],
      // A session of its own: Ctrl-C on the terminal must reach the supervisor alone, which then stops all in order.
      detached: true,
    })
    this.child = child
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => this.write(line))
    }
    child.once('error', (error) => this.ended(child, error.message, bornAt))
    child.once('exit', (code, signal) => this.ended(child, signal ?? `exit code ${code}`, bornAt))
    if (child.pid !== undefined) notePid(join(this.home.runDir, 'pids'), name, child.pid)
    this.home.onChange?.()
  }

  private ended(child: ChildProcess, reason: string, bornAt: number): void {
    if (this.child !== child) return
    this.child = undefined
    this.lastExit = reason
    forgetPid(join(this.home.runDir, 'pids'), this.name)
    if (this.wanted && this.restarting) this.startAgain(reason, Date.now() - bornAt)
    else if (this.wanted) this.say(`ended (${reason})`)
    this.home.onChange?.()
  }

  private startAgain(reason: string, livedMs: number): void {
    if (livedMs >= STABLE_AFTER_MS) this.restartDelayMs = FIRST_RESTART_DELAY_MS
    const delayMs = this.restartDelayMs
    this.restartDelayMs = Math.min(delayMs * 2, LAST_RESTART_DELAY_MS)
    this.say(`ended (${reason}), starting it again in ${delayMs} ms`)
    this.restartTimer = setTimeout(() => {
      if (this.wanted && !this.child) this.spawn()
    }, delayMs)
  }

  private say(remark: string): void {
    this.write(`[supervisor] ${this.name} ${remark}`)
  }

  private write(line: string): void {
    this.tail.push(line)
    if (this.tail.length > TAIL_LINES) this.tail.shift()
    if (this.logFile.writable) this.logFile.write(`${line}\n`)
    this.home.log?.(this.name, line)
  }
}

function exitOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve()
    else child.once('exit', () => resolve())
  })
}

/** Children live in sessions of their own, so nothing but this hook ends them when a test run exits half way. */
const living = new Set<SupervisedProcess>()
process.on('exit', () => {
  for (const supervised of living) supervised.killNow()
})
