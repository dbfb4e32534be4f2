/** Counts what webhooks wait, and removes what has outlived its retention. The couriers themselves are no sweep. */
import type { Config } from '../../core/platform/config.ts'
import type { Sweep } from '../sweeper.ts'
import type { Couriers } from '../webhooks/couriers.ts'

const COUNT_EVERY_MS = 5000
const PURGE_EVERY_MS = 600_000
/** Small deletes: none holds locks, or a replica up, for long. */
const BATCH = 1000

export function webhookUpkeep({ upkeep, metrics }: Couriers, config: Config): Sweep[] {
  const configured = config.webhooks.endpoints.map(({ name }) => name)
  return [
    {
      name: 'webhook-backlogs',
      everyMs: COUNT_EVERY_MS,
      async run() {
        metrics.observed(await upkeep.backlogs())
      },
    },
    {
      name: 'webhook-purge',
      everyMs: PURGE_EVERY_MS,
      async run(stopping) {
        const { deadLetterRetentionMs } = config.webhooks
        const { outboxRetentionMs } = config.calls
        while ((await upkeep.giveUpOnStrangers(configured, BATCH)) === BATCH && !stopping.aborted);
        while ((await upkeep.purge('delivered', outboxRetentionMs, BATCH)) === BATCH && !stopping.aborted);
        while ((await upkeep.purge('dead', deadLetterRetentionMs, BATCH)) === BATCH && !stopping.aborted);
      },
    },
  ]
}
