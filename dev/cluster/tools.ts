// Finds the servers that npm cannot bring: on PATH, else unpacked from the distribution's packages under .tools/.
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { findUnpacked, unpackFromApt } from './apt-unpack.ts'

/** A program that the cluster needs, and how to get it. */
export interface Tool {
  /** For people. */
  title: string
  /** Names of the program, the preferred first. */
  programs: string[]
  versionArgs: string[]
  /** Finds `major.minor` in what the program prints about itself. */
  versionPattern: RegExp
  minimum: [major: number, minor: number]
  /** Debian and Ubuntu. */
  aptPackage: string
  /** Elsewhere, by platform as people call it. */
  install: Record<string, string>
  /** What to do where none of that works. */
  otherwise: string
}

export const REDIS: Tool = {
  title: 'Redis',
  programs: ['redis-server', 'valkey-server'],
  versionArgs: ['--version'],
  versionPattern: /server v=(\d+)\.(\d+)/,
  // Functions the product relies on (Lua in its present form, sharded pub/sub for whoever wants it) came with 7.0.
  minimum: [7, 0],
  aptPackage: 'redis-server',
  install: {
    macOS: 'brew install redis',
    'Debian, Ubuntu': 'apt-get install redis-server',
    Fedora: 'dnf install redis',
    Alpine: 'apk add redis',
    Arch: 'pacman -S valkey',
  },
  otherwise: 'set REDIS_URL to a server of yours',
}

export const HAPROXY: Tool = {
  title: 'HAProxy',
  programs: ['haproxy'],
  versionArgs: ['-v'],
  versionPattern: /version (\d+)\.(\d+)/,
  // Debian 12's; the edge's template is written for it.
  minimum: [2, 6],
  aptPackage: 'haproxy',
  install: {
    macOS: 'brew install haproxy',
    'Debian, Ubuntu': 'apt-get install haproxy',
    Fedora: 'dnf install haproxy',
    Alpine: 'apk add haproxy',
    Arch: 'pacman -S haproxy',
  },
  otherwise: 'build 2.6 or newer from source and put it on PATH',
}

export const COTURN: Tool = {
  title: 'coturn',
  programs: ['turnserver'],
  versionArgs: ['--version'],
  // Older ones print the bare number, newer ones a sentence.
  versionPattern: /(?:Coturn-|^|\s)(\d+)\.(\d+)\.\d+/m,
  // Debian 12's; several shared secrets at once, for rotation, are older.
  minimum: [4, 6],
  aptPackage: 'coturn',
  install: {
    macOS: 'brew install coturn',
    'Debian, Ubuntu': 'apt-get install coturn',
    Fedora: 'dnf install coturn',
    Alpine: 'apk add coturn',
    Arch: 'pacman -S coturn',
  },
  otherwise: 'start without TURN=1',
}

/** Makes certificates; Node can use them and not make them. */
export const OPENSSL: Tool = {
  title: 'OpenSSL',
  programs: ['openssl'],
  versionArgs: ['version'],
  versionPattern: /^OpenSSL (\d+)\.(\d+)/,
  // "req -x509" signs with an authority of one's own since 3.0.
  minimum: [3, 0],
  aptPackage: 'openssl',
  install: {
    macOS: 'brew install openssl@3',
    'Debian, Ubuntu': 'apt-get install openssl',
    Fedora: 'dnf install openssl',
    Alpine: 'apk add openssl',
    Arch: 'pacman -S openssl',
  },
  otherwise: 'start without TLS=1',
}

/** Prometheus' two programs come in one package. */
const PROMETHEUS_PACKAGE = {
  versionArgs: ['--version'],
  versionPattern: /version (\d+)\.(\d+)/,
  // Debian 12's; the rules and their tests are written for it.
  minimum: [2, 42] as [number, number],
  aptPackage: 'prometheus',
  install: {
    macOS: 'brew install prometheus',
    'Debian, Ubuntu': 'apt-get install prometheus',
    Fedora: 'dnf install golang-github-prometheus',
    Alpine: 'apk add prometheus',
    Arch: 'pacman -S prometheus',
  },
}

export const PROMETHEUS: Tool = {
  ...PROMETHEUS_PACKAGE,
  title: 'Prometheus',
  programs: ['prometheus'],
  otherwise: 'start without PROMETHEUS=1',
}

/** Checks metrics and rules; tests use it. */
export const PROMTOOL: Tool = {
  ...PROMETHEUS_PACKAGE,
  title: 'promtool',
  programs: ['promtool'],
  otherwise: 'take the release of github.com/prometheus/prometheus and put promtool on PATH',
}

/** A program that runs here. */
export interface FoundTool {
  path: string
  /** Added to its environment: where its unpacked libraries are. */
  env: Record<string, string>
}

/** A non-root user's PATH on Debian lacks the folders of servers; Homebrew's may be missing in make's. */
const EXTRA_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/opt/homebrew/bin']

/** One answer a process: looking costs a start of the program. */
const found = new Map<string, Promise<FoundTool>>()

/**
 * Finds a tool, unpacking it on Debian and its kin where it is missing (needs the package servers once).
 * @throws with one line that says what to install, on every other platform
 */
export function findTool(tool: Tool, log: (line: string) => void = () => {}): Promise<FoundTool> {
  const known = found.get(tool.title)
  if (known) return known
  const search = locate(tool, log)
  found.set(tool.title, search)
  search.catch(() => found.delete(tool.title))
  return search
}

async function locate(tool: Tool, log: (line: string) => void): Promise<FoundTool> {
  const lookedAt = Date.now()
  const refused: string[] = []
  for (const candidate of [...candidatesOnPath(tool), ...findUnpacked(tool.aptPackage, tool.programs)]) {
    const version = versionOf(tool, candidate)
    if (version !== undefined && isRecent(version, tool.minimum)) return candidate
    refused.push(`${candidate.path} ${version === undefined ? 'does not run' : `is ${version.join('.')}`}`)
  }
  let reason = refused.join(', ')
  if (process.platform === 'linux') {
    try {
      for (const candidate of await unpackFromApt(tool.aptPackage, tool.programs, log, lookedAt)) {
        const version = versionOf(tool, candidate)
        if (version !== undefined && isRecent(version, tool.minimum)) return candidate
        reason = `the distribution's own ${version === undefined ? 'does not run' : `is ${version.join('.')}`}`
      }
    } catch (error) {
      reason = [reason, error instanceof Error ? error.message : String(error)].filter(Boolean).join('; ')
    }
  }
  throw new Error(adviceFor(tool, reason, process.platform))
}

/** The one line that tells a person what to install. */
export function adviceFor(tool: Tool, reason: string, platform: NodeJS.Platform): string {
  const ways = Object.entries(tool.install).map(([system, command]) => `${system}: ${command}`)
  const here = ways.filter((way) => way.startsWith('macOS') === (platform === 'darwin'))
  const why = reason === '' ? 'is missing' : `is missing (${reason})`
  return `${tool.title} ${tool.minimum.join('.')} or newer ${why}. Install it (${here.join('; ')}) or ${tool.otherwise}.`
}

function candidatesOnPath(tool: Tool): FoundTool[] {
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), ...EXTRA_FOLDERS]
  return tool.programs
    .flatMap((program) => folders.map((folder) => join(folder, program)))
    .filter(isExecutable)
    .map((path) => ({ path, env: {} }))
}

/** Whether this user may run the file. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function versionOf(tool: Tool, candidate: FoundTool): [number, number] | undefined {
  const result = spawnSync(candidate.path, tool.versionArgs, {
    encoding: 'utf8',
    env: { ...process.env, ...candidate.env },
    timeout: 10_000,
  })
  const match = tool.versionPattern.exec(`${result.stdout}${result.stderr}`)
  return result.status === 0 && match ? [Number(match[1]), Number(match[2])] : undefined
}

function isRecent([major, minor]: [number, number], [wantedMajor, wantedMinor]: [number, number]): boolean {
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
}
