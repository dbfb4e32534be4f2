// Moves on the file system that Node's own functions do not make: with owners, as a whole, in shared places.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs'

/** Renames a finished folder into place; another process that was faster wins, as both hold the same. */
export function moveInto(partial: string, place: string): void {
  try {
    renameSync(partial, place)
  } catch (error) {
    rmSync(partial, { recursive: true, force: true })
    if (!existsSync(place)) throw error
  }
}

/** Copies a tree with its owners, modes and links. Node's own `cpSync` loses owners. */
export function copyTree(from: string, to: string): void {
  runOrThrow('cp', ['-a', from, to])
}

/** Lets everybody read a tree and enter its folders. */
export function openToAll(tree: string): void {
  runOrThrow('chmod', ['-R', 'a+rX', tree])
}

/**
 * Makes a folder in a place where everybody may write.
 * @throws if somebody else made it first: its content could not be trusted
 */
export function ownFolder(folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o755 })
  const found = lstatSync(folder)
  if (!found.isDirectory() || found.uid !== (process.getuid?.() ?? found.uid)) {
    throw new Error(`${folder} belongs to somebody else. Remove it, or set DATABASE_URL to a server of yours.`)
  }
  chmodSync(folder, 0o755)
  return folder
}

function runOrThrow(command: string, args: string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? stderr}`)
}
