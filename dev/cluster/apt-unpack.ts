// Unpacks a Debian or Ubuntu package, with the libraries that this machine lacks, under the checkout's .tools/.
// Nothing is installed, no root is needed, and the system's own package state is only read.
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { moveInto } from './folders.ts'
import type { FoundTool } from './tools.ts'

const run = promisify(execFile)
const toolsFolder = join(dirname(dirname(import.meta.dirname)), '.tools')

/** What an earlier start unpacked. */
export function findUnpacked(aptPackage: string, programs: string[]): FoundTool[] {
  return candidatesIn(join(toolsFolder, aptPackage), programs)
}

/**
 * Downloads and unpacks a package and what it depends on beyond what is installed here. If another process
 * has unpacked the package meanwhile, its copy stays: that process may be running it.
 * @param lookedAt when the caller began to look for what earlier starts unpacked, ms since 1970
 * @throws where there is no apt, no network, or no such package
 */
export async function unpackFromApt(
  aptPackage: string,
  programs: string[],
  log: (line: string) => void,
  lookedAt: number,
): Promise<FoundTool[]> {
  if (!(await hasApt())) throw new Error('this system has no apt to fetch it with')
  log(`fetching ${aptPackage} from the distribution and unpacking it under .tools/`)
  const work = join(toolsFolder, `.${aptPackage}-${process.pid}-${randomBytes(3).toString('hex')}`)
  const root = join(work, 'root')
  mkdirSync(root, { recursive: true })
  try {
    await download(aptPackage, work, log)
    for (const file of readdirSync(work).filter((name) => name.endsWith('.deb'))) {
      await run('dpkg', ['-x', join(work, file), root])
    }
    const place = join(toolsFolder, aptPackage)
    // Older ones were looked at and refused. A rename sets the time of the last change.
    const { ctimeMs = 0 } = statSync(place, { throwIfNoEntry: false }) ?? {}
    if (ctimeMs < lookedAt) rmSync(place, { recursive: true, force: true })
    moveInto(root, place)
    return candidatesIn(place, programs)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

async function hasApt(): Promise<boolean> {
  try {
    await run('apt-get', ['--version'])
    await run('dpkg', ['--version'])
    return true
  } catch {
    return false
  }
}

/** With the system's package lists; where they are missing or too old, with fresh ones of our own. */
async function download(aptPackage: string, work: string, log: (line: string) => void): Promise<void> {
  const common = ['-o', 'APT::Sandbox::User=', '-o', 'Acquire::Retries=2']
  try {
    await downloadWith(aptPackage, work, common)
    return
  } catch {
    log('the package lists of this machine are missing or old; reading fresh ones into .tools/')
  }
  const lists = join(work, 'apt')
  for (const folder of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(lists, folder), { recursive: true })
  const own = [...common, '-o', `Dir::State::lists=${join(lists, 'lists')}`, '-o', `Dir::Cache=${join(lists, 'cache')}`]
  try {
    await run('apt-get', [...own, 'update'], { cwd: work, maxBuffer: 16 << 20 })
    await downloadWith(aptPackage, work, own)
  } catch (error) {
    throw new Error(`apt could not fetch ${aptPackage}: ${lastLineOf(error)}`)
  }
}

async function downloadWith(aptPackage: string, work: string, options: string[]): Promise<void> {
  // What an installation would add is just what this machine lacks, at versions that fit together.
  const plan = await run('apt-get', [...options, '-s', 'install', '--no-install-recommends', '-y', aptPackage], {
    env: { ...process.env, LC_ALL: 'C' },
    maxBuffer: 16 << 20,
  })
  const missing = [...plan.stdout.matchAll(/^Inst (\S+)/gm)].map((match) => String(match[1]))
  // An installed one that was passed over (too hidden, say) is fetched all the same.
  const names = missing.includes(aptPackage) ? missing : [aptPackage, ...missing]
  await run('apt-get', [...options, 'download', ...names], { cwd: work, maxBuffer: 16 << 20 })
}

function candidatesIn(root: string, programs: string[]): FoundTool[] {
  if (!existsSync(root)) return []
  const env = { LD_LIBRARY_PATH: libraryFolders(root).join(':') }
  return programs
    .flatMap((program) => ['usr/sbin', 'usr/bin', 'sbin', 'bin'].map((folder) => join(root, folder, program)))
    .filter((path) => existsSync(path))
    .map((path) => ({ path, env }))
}

/** Folders like usr/lib/x86_64-linux-gnu, wherever this distribution puts its libraries. */
function libraryFolders(root: string): string[] {
  const folders = ['usr/lib', 'lib'].flatMap((folder) => {
    const path = join(root, folder)
    if (!existsSync(path)) return []
    const inner = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    return [path, ...inner.map((entry) => join(path, entry.name))]
  })
  return folders.filter((folder) => readdirSync(folder).some((file) => file.includes('.so')))
}

function lastLineOf(error: unknown): string {
  const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error)
  return text.trim().split('\n').at(-1) ?? ''
}
