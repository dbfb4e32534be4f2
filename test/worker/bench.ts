/** Whole workers in this process, over a Postgres and a Redis of their own that a test may take away. */
import { randomUUID } from 'node:crypto'
import { createPlatform, type Platform } from '../../core/context.ts'
import { loadConfig } from '../../core/platform/config.ts'
import { type Redis as RedisServer, startRedis } from '../../dev/cluster/redis.ts'
import { createWorker, type Worker } from '../../worker/worker.ts'
import { Bench } from '../calls/bench.ts'
import { shortSeconds } from '../support/patience.ts'

export class WorkerBench {
  readonly stores: Bench
  readonly redis: RedisServer
  readonly #running: { platform: Platform; worker: Worker }[] = []

  constructor(stores: Bench, redis: RedisServer) {
    this.stores = stores
    this.redis = redis
  }

  static async start(): Promise<WorkerBench> {
    const [stores, redis] = await Promise.all([Bench.start(), startRedis()])
    return new WorkerBench(stores, redis)
  }

  /** Starts a worker. Its lease is one second, so that it may judge after one second of contact. */
  worker(env: Record<string, string> = {}): { platform: Platform; worker: Worker } {
    const platform = createPlatform(
      loadConfig('worker', {
        DATABASE_URL: this.stores.postgres.url,
        REDIS_URL: this.redis.url,
        NODE_NAME: randomUUID(),
        LOG_LEVEL: 'silent',
        NODE_BEAT_SECONDS: '0.25',
        NODE_LEASE_SECONDS: shortSeconds(1),
        SWEEP_INTERVAL_SECONDS: '0.1',
        ...env,
      }),
    )
    const worker = createWorker(platform)
    worker.start()
    this.#running.push({ platform, worker })
    return { platform, worker }
  }

  /** Stops the workers, not the stores. */
  async stopWorkers(): Promise<void> {
    for (const { platform, worker } of this.#running.splice(0)) {
      await worker.stop()
      platform.redis.disconnect()
      await platform.db.destroy()
    }
  }

  async stop(): Promise<void> {
    await this.stopWorkers()
    await this.redis.stop()
    await this.stores.stop()
  }
}
