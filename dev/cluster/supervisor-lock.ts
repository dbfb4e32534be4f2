// One supervisor a checkout: a file that names the process which runs the cluster there.
import { linkSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { identify, isAlive, type ProcessIdentity, readIdentity } from './process-identity.ts'

const lockFile = (runDir: string) => join(runDir, 'supervisor.json')

/** The living supervisor of a run folder, if any. */
export function findSupervisor(runDir: string): ProcessIdentity | undefined {
  const identity = readIdentity(lockFile(runDir))
  return identity && isAlive(identity) ? identity : undefined
}

/** Makes this process the supervisor. False if another one is; of two at the same moment exactly one succeeds. */
export function becomeSupervisor(runDir: string): boolean {
  const mine = `${lockFile(runDir)}.${process.pid}`
  writeFileSync(mine, JSON.stringify(identify(process.pid)))
  try {
    for (;;) {
      if (tryLink(mine, lockFile(runDir))) return true
      if (findSupervisor(runDir)) return false
      rmSync(lockFile(runDir), { force: true })
    }
  } finally {
    rmSync(mine, { force: true })
  }
}

/** Takes back {@link becomeSupervisor}. */
export function leaveSupervisor(runDir: string): void {
  rmSync(lockFile(runDir), { force: true })
}

/** A hard link, unlike a write, appears with its whole content or not at all. */
function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}
