/** What operators may know of this node, and what they may ask of it through Redis (callctl). */
import type { Logger } from '../core/platform/logger.ts'
import { SERVICE_VERSION } from '../core/platform/service-version.ts'
import type { DrainWish, NodeAbout } from '../core/rooms/node-directory.ts'
import type { Drain } from './drain.ts'
import type { PeerRegistry } from './peer-registry.ts'

export class OperatorWishes {
  readonly #registry: PeerRegistry
  readonly #drain: Drain
  readonly #log: Logger
  readonly #startedAt = new Date().toISOString()
  readonly #startedAtMs = performance.now()
  /** A wish comes with every beat until it is done; each is followed once. */
  readonly #followed = new Set<DrainWish>()

  constructor(registry: PeerRegistry, drain: Drain, log: Logger) {
    this.#registry = registry
    this.#drain = drain
    this.#log = log
  }

  about(): NodeAbout {
    return {
      version: SERVICE_VERSION,
      startedAt: this.#startedAt,
      uptimeSeconds: Math.round((performance.now() - this.#startedAtMs) / 1000),
      state: this.#drain.state,
      ...this.#registry.counts,
    }
  }

  /** `stay` drains as SIGTERM does and no more; `exit` is a SIGTERM. */
  follow(wish: DrainWish): void {
    if (this.#followed.has(wish)) return
    this.#followed.add(wish)
    this.#log.info({ wish }, 'an operator asks this node to drain')
    if (wish === 'exit') process.kill(process.pid, 'SIGTERM')
    else void this.#drain.run()
  }
}
