/** Tells the gateways, through the dialect of the classic Socket.IO adapter. The only file that knows the emitter. */
import { Emitter } from '@socket.io/redis-emitter'
import type { Redis } from 'ioredis'
import { within } from '../platform/redis.ts'
import { adapterKey, type ClusterEvents } from '../protocol/cluster-events.ts'

/** A publish that Redis has not confirmed by then counts as failed and is repeated from the outbox. */
const PUBLISH_TIMEOUT_MS = 2000

export class CallEvents {
  readonly #emitter: Emitter
  #published: Promise<unknown> = Promise.resolve()

  /** `publisher` must fail at once while Redis is away, or the outbox would wait instead of repeating. */
  constructor(publisher: Pick<Redis, 'publish'>, keyPrefix: string) {
    // The emitter drops the promise of its publish, so it is caught on its way. The emitter publishes synchronously.
    this.#emitter = new Emitter(
      {
        publish: (channel: string, message: string) => {
          this.#published = publisher.publish(channel, message)
        },
      },
      { key: adapterKey(keyPrefix) },
    )
  }

  /**
   * Resolves once Redis has taken the event. Events of successive calls reach the gateways in the order of the calls.
   * @throws where Redis is away or does not answer in time; the event may have gone out nevertheless
   */
  async publish<K extends keyof ClusterEvents>(kind: K, payload: Parameters<ClusterEvents[K]>[0]): Promise<void> {
    this.#emitter.serverSideEmit(kind, payload)
    await within(PUBLISH_TIMEOUT_MS, this.#published)
  }
}
