/** A checkout of its own for tests of `make up`, which belongs to one checkout and may run as somebody else. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { eventually } from '../support/eventually.ts'

const original = dirname(dirname(import.meta.dirname))

/** Written to by a build, so they are copied for real. */
const COPIED = ['dist', 'client']
/** Only read, and big: hard links where the file system allows. */
const LINKED = ['node_modules', '.tools']
const SOURCES = ['Makefile', 'package.json', 'package-lock.json', 'tsconfig.json', 'dev', 'edge']
const PRODUCT = ['api', 'core', 'gateway', 'web', 'worker', 'migrations']

/** A command that runs in the copy; its output so far and to come. */
export interface Command {
  output(): string
  /** Waits for a text in its output. */
  printed(text: string | RegExp, timeoutMs?: number): Promise<void>
  /** As from the terminal: to make and everything it runs in the foreground. */
  signal(signal: NodeJS.Signals): void
  /** The exit code, or the signal that it died of. */
  ended(timeoutMs?: number): Promise<number | string>
}

export interface CheckoutCopy {
  path: string
  make(target: string, variables?: Record<string, string>): Command
  /** Runs to its end and returns all that it printed. */
  makeToEnd(target: string, variables?: Record<string, string>): Promise<{ code: number | string; output: string }>
  remove(): Promise<void>
}

/**
 * Copies the built checkout into a folder under a home with the given mode.
 * @param uid whose it is and who runs make there; ours where it is left out
 */
export function copyCheckout({ mode = 0o755, uid }: { mode?: number; uid?: number } = {}): CheckoutCopy {
  const home = mkdtempSync(join(tmpdir(), 'tchat-calling-home-'))
  const path = join(home, 'checkout')
  mkdirSync(path)
  for (const name of [...SOURCES, ...PRODUCT, ...COPIED]) copy(name, path, ['-a'])
  for (const name of LINKED) if (existsSync(join(original, name))) copy(name, path, ['-al'], ['-a'])
  // What is copied is built and installed; a clock or an edit in between must not make it be built again.
  for (const stamp of ['node_modules/.package-lock.json', 'dist/.built']) touch(join(path, stamp))
  if (uid !== undefined) giveFolders(home, uid)
  chmodSync(home, mode)

  const commands = new Set<ChildProcess>()
  const make = (target: string, variables: Record<string, string> = {}): Command => {
    const child = spawn('make', [target], {
      cwd: path,
      env: { PATH: process.env.PATH, HOME: home, TMPDIR: process.env.TMPDIR, STUN_URLS: 'none', ...variables },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      ...(uid === undefined ? {} : { uid, gid: uid }),
    })
    commands.add(child)
    child.once('exit', () => commands.delete(child))
    return follow(child)
  }
  const makeToEnd = async (target: string, variables?: Record<string, string>) => {
    const command = make(target, variables)
    return { code: await command.ended(), output: command.output() }
  }
  return {
    path,
    make,
    makeToEnd,
    async remove() {
      await makeToEnd('clean')
      for (const child of commands) process.kill(-(child.pid ?? 0), 'SIGKILL')
      rmSync(home, { recursive: true, force: true })
    },
  }
}

/** Processes that were started from a copy, by their command lines. */
export function processesOf(path: string): string[] {
  if (process.platform !== 'linux') {
    return spawnSync('ps', ['-eo', 'args='], { encoding: 'utf8' })
      .stdout.split('\n')
      .filter((line) => line.includes(path))
  }
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((pid) => commandLine(pid))
    .filter((line) => line.includes(path))
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

function follow(child: ChildProcess): Command {
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const closed = once(child, 'close')
  return {
    output: () => output,
    printed: (text, timeoutMs = 60_000) =>
      eventually(() => {
        if (typeof text === 'string' ? output.includes(text) : text.test(output)) return
        if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${output}`)
        throw new Error(`it printed so far:\n${output.slice(-3_000)}`)
      }, timeoutMs),
    signal: (signal) => {
      process.kill(-(child.pid ?? 0), signal)
    },
    ended: async (timeoutMs = 60_000) => {
      const timer = setTimeout(() => process.kill(-(child.pid ?? 0), 'SIGKILL'), timeoutMs)
      await closed
      clearTimeout(timer)
      return child.exitCode ?? child.signalCode ?? 'unknown'
    },
  }
}

function copy(name: string, to: string, ...ways: string[][]): void {
  for (const flags of ways) {
    if (spawnSync('cp', [...flags, join(original, name), to]).status === 0) return
    rmSync(join(to, name), { recursive: true, force: true })
  }
  throw new Error(`${name} could not be copied to ${to}`)
}

function touch(file: string): void {
  spawnSync('touch', [file])
  utimesSync(file, new Date(), new Date())
}

/** Folders are what a program writes in; files may be links to the original's and stay its owner's. */
function giveFolders(folder: string, uid: number): void {
  lchownSync(folder, uid, uid)
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory() && entry.name !== 'node_modules') giveFolders(join(folder, entry.name), uid)
  }
}
