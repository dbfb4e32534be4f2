// The folder of one cluster: logs, pid notes, data, description. Private ones live in the system's temporary folder.
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { identify, isAlive, readIdentity, stopLeftovers } from './process-identity.ts'

export interface RunDir {
  path: string
  isPrivate: boolean
  /** Removes a private folder. Others stay, with their data. */
  leave(): void
}

/** Once in the life of a process is enough. */
let swept: Promise<void> | undefined

const PREFIX = 'tchat-calling-run-'

/** A given folder as it is, or a new private one. */
export async function makeRunDir(path: string | undefined): Promise<RunDir> {
  if (path !== undefined) {
    mkdirSync(path, { recursive: true })
    return { path, isPrivate: false, leave: () => {} }
  }
  swept ??= sweepAbandonedRunDirs()
  await swept
  const made = mkdtempSync(join(tmpdir(), `${PREFIX}${randomBytes(2).toString('hex')}-`))
  // Postgres, as another user, must be able to pass; the secrets inside have modes of their own.
  chmodSync(made, 0o711)
  const owner = identify(process.pid)
  writeFileSync(join(made, 'owner.json'), JSON.stringify(owner))
  return { path: made, isPrivate: true, leave: () => rmSync(made, { recursive: true, force: true }) }
}

/**
 * Ends and removes what test runs left behind that were killed before they could clean up. The first private
 * cluster of a process does this first, so that orphans never pile up on a developer's machine.
 */
async function sweepAbandonedRunDirs(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(PREFIX))) {
    const path = join(tmpdir(), name)
    const owner = readIdentity(join(path, 'owner.json'))
    // Without an owner it is just being made, or somebody else's.
    if (!owner || isAlive(owner)) continue
    try {
      await stopLeftovers(join(path, 'pids'), 2_000)
      rmSync(path, { recursive: true, force: true })
    } catch {
      // Another user's leftovers are theirs to end.
    }
  }
}
