// The trials of `make loadtest` and `make loadtest-full`, in their order.
import { EXPIRY } from './expiry.ts'
import { HELD_CALLS } from './held-calls.ts'
import { HISTORY } from './history.ts'
import { LONG_CALLS } from './long-calls.ts'
import { MEMORY } from './memory.ts'
import { QUALITY } from './quality.ts'
import { REST_RATES } from './rest-rates.ts'
import { SCENARIOS } from './scenarios.ts'
import { STORM } from './storm.ts'
import type { Trial } from './trial.ts'
import { UNIT_COSTS } from './unit-costs.ts'

/** In the order of the page. */
export const TRIALS: Trial[] = [
  HELD_CALLS,
  REST_RATES,
  HISTORY,
  EXPIRY,
  UNIT_COSTS,
  MEMORY,
  LONG_CALLS,
  STORM,
  QUALITY,
  SCENARIOS,
]
