// Tells whether a process id noted earlier still means the same process, and ends what an unclean exit left behind.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A process id alone may be given out again; together with its start it names one process for ever. */
export interface ProcessIdentity {
  pid: number
  /** Opaque; equal only for the same process. */
  started: string
}

/** The identity of a running process, or `undefined` where none has this id (a zombie counts as gone). */
export function identify(pid: number): ProcessIdentity | undefined {
  const started = process.platform === 'linux' ? startFromProc(pid) : startFromPs(pid)
  return started === undefined ? undefined : { pid, started }
}

/** True while exactly this process, not merely its id, exists. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.started === identity.started
}

function startFromProc(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command in parentheses may hold spaces and parentheses itself, so fields are counted from the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z') return undefined
    // Field 22 of proc(5): start in clock ticks since boot, hence the boot's own id beside it.
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields[19]}`
  } catch {
    return undefined
  }
}

function startFromPs(pid: number): string | undefined {
  try {
    const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
    return line === '' || line.startsWith('Z') ? undefined : line.slice(line.indexOf(' ') + 1).trim()
  } catch {
    return undefined
  }
}

/** Notes a process in a folder, so that a later start can find it after this one died without cleaning up. */
export function notePid(folder: string, name: string, pid: number): void {
  const identity = identify(pid)
  if (identity) writeFileSync(join(folder, `${name}.json`), JSON.stringify(identity))
}

/** Takes back {@link notePid}. */
export function forgetPid(folder: string, name: string): void {
  rmSync(join(folder, `${name}.json`), { force: true })
}

/** The noted processes of a folder that are still alive, by name. Unreadable notes are skipped. */
export function livingPids(folder: string): Map<string, ProcessIdentity> {
  const living = new Map<string, ProcessIdentity>()
  for (const file of listFolder(folder)) {
    const identity = readIdentity(join(folder, file))
    if (identity && isAlive(identity)) living.set(file.replace(/\.json$/, ''), identity)
  }
  return living
}

/** Reads one note, or `undefined` where it is missing or damaged. */
export function readIdentity(file: string): ProcessIdentity | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof value !== 'object' || value === null || !('pid' in value) || !('started' in value)) return undefined
    return typeof value.pid === 'number' && typeof value.started === 'string'
      ? { pid: value.pid, started: value.started }
      : undefined
  } catch {
    return undefined
  }
}

/** In which order kinds of processes go: nobody loses a store that it still writes to. */
const STOP_ORDER = ['edge', 'gateway', 'api', 'worker', 'turn', 'redis', 'postgres']

/** Postgres shuts down at once on SIGINT ("fast"); on SIGTERM it would wait for its clients to leave. */
export function stopSignalFor(name: string): NodeJS.Signals {
  return name === 'postgres' ? 'SIGINT' : 'SIGTERM'
}

/**
 * Ends every living process that a folder notes, in order, and empties the folder.
 * Each gets `graceMs` to end by itself before SIGKILL.
 * @returns the names of those that were found alive
 */
export async function stopLeftovers(folder: string, graceMs: number): Promise<string[]> {
  const living = livingPids(folder)
  const rank = (name: string) => STOP_ORDER.indexOf(name.replace(/-\d+$/, ''))
  const ranks = [...new Set([...living.keys()].map(rank))].sort((a, b) => a - b)
  for (const wanted of ranks) {
    const group = [...living].filter(([name]) => rank(name) === wanted)
    await Promise.all(group.map(([name, identity]) => endProcess(identity, stopSignalFor(name), graceMs)))
  }
  for (const file of listFolder(folder)) rmSync(join(folder, file), { force: true })
  return [...living.keys()]
}

/** Asks a process that is not our child to end, insists with SIGKILL after `graceMs`, and returns when it is gone. */
export async function endProcess(identity: ProcessIdentity, signal: NodeJS.Signals, graceMs: number): Promise<void> {
  const deadlineAt = Date.now() + graceMs
  sendSignal(identity, signal)
  while (isAlive(identity)) {
    if (Date.now() > deadlineAt) sendSignal(identity, 'SIGKILL')
    // A process that is not our child sends no exit event; 25 ms between looks costs nothing.
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

function sendSignal(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isAlive(identity)) return
  try {
    process.kill(identity.pid, signal)
  } catch (error) {
    // Between the look and the signal it may have ended by itself; anything else (EPERM) must be seen.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder).filter((file) => file.endsWith('.json'))
  } catch {
    return []
  }
}
