/** Ends a ring by its limit without the wait: under load a limit that is short enough to wait for ends others, too. */
import { createDatabase } from '../../core/platform/postgres.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { patient } from './patience.ts'

/** The worker finds the callee's call overdue with its next sweep, as if it had rung all that time. */
export async function expireRing({ env }: Pick<Cluster, 'env'>, calleeId: string): Promise<void> {
  const db = createDatabase({ url: env.DATABASE_URL ?? '', poolMax: 1, timeoutMs: patient(5_000) }, 'tests')
  try {
    const { rowCount } = await db.raw(
      `UPDATE calls SET ring_expires_at = now(), deadline_at = now() WHERE callee_id = ? AND status = 'connecting'`,
      [calleeId],
    )
    if (rowCount !== 1) throw new Error(`${rowCount} calls ring there`)
  } finally {
    await db.destroy()
  }
}
