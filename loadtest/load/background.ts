// A process of its own that keeps calls busy with messages while its parent measures something else.
import { RAW } from './dialects.ts'
import { Load, type Pair } from './load.ts'

export interface BackgroundOrder {
  pairs: Pair[]
  ratePerSecond: number
  ms: number
}

/** `ready` when all have joined, then what came of the messages. */
export type BackgroundReport =
  | { ready: true }
  | { ready: false; delivered: number; p50: number; p99: number; lost: number; errors: number }

process.once('message', async ({ pairs, ratePerSecond, ms }: BackgroundOrder) => {
  const load = await Load.connect(RAW, pairs)
  tell({ ready: true })
  const { delivered, p50, p99 } = await load.open(ratePerSecond, ms, 1, () => {})
  await load.close()
  const { lost, duplicated, reordered, errors } = load.counts
  tell({ ready: false, delivered, p50, p99, lost: lost + duplicated + reordered, errors })
  process.disconnect?.()
})

function tell(report: BackgroundReport): void {
  process.send?.(report)
}
