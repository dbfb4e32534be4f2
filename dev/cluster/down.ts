// `make down`: ends the checkout's cluster from another shell, or what is left of it.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { endProcess, stopLeftovers } from './process-identity.ts'
import { findSupervisor, leaveSupervisor } from './supervisor-lock.ts'
import { forgetTokenKey } from './token-key.ts'

/** Longer than an ordered stop can take: its members have 25 s, the stores 15 s. */
const SUPERVISOR_GRACE_MS = 45_000
const LEFTOVER_GRACE_MS = 2_000

/** Returns when no process of the run folder is left. */
export async function down(runDir: string): Promise<void> {
  const supervisor = findSupervisor(runDir)
  if (supervisor) await endProcess(supervisor, 'SIGTERM', SUPERVISOR_GRACE_MS)
  const leftovers = await stopLeftovers(join(runDir, 'pids'), LEFTOVER_GRACE_MS)
  if (!findSupervisor(runDir)) {
    leaveSupervisor(runDir)
    forgetTokenKey(runDir)
    rmSync(join(runDir, 'cluster.json'), { force: true })
  }
  if (supervisor) console.log('stopped')
  else console.log(leftovers.length > 0 ? `stopped what was left: ${leftovers.join(', ')}` : 'nothing runs here')
}
