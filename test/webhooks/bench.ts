/** A Postgres of one's own, receivers, and any number of couriers and of processes that write events. */
import { createPlatform, type Platform } from '../../core/context.ts'
import { type Config, loadConfig } from '../../core/platform/config.ts'
import type { Database } from '../../core/platform/postgres.ts'
import { Couriers } from '../../worker/webhooks/couriers.ts'
import { Bench, pair, type ServiceParts } from '../calls/bench.ts'
import { Receiver, type ReceiverOptions } from './receiver.ts'

/** Endpoints `hook-1`, `hook-2`, … for receivers, with settings that a test can wait for. */
export function webhookEnv(receivers: Receiver[], more: Record<string, string> = {}): Record<string, string> {
  return {
    WEBHOOK_URLS: receivers.map(({ url }, index) => `hook-${index + 1}=${url}`).join(','),
    WEBHOOK_SECRETS: receivers.map(({ secret }, index) => `hook-${index + 1}=${secret}`).join(','),
    WEBHOOK_ALLOW_PRIVATE: 'true',
    WEBHOOK_TIMEOUT_SECONDS: '1',
    WEBHOOK_BACKOFF_SECONDS: '0.1',
    WEBHOOK_BACKOFF_MAX_SECONDS: '0.5',
    ...more,
  }
}

export class WebhookBench {
  readonly stores: Bench
  readonly db: Database
  readonly #receivers: Receiver[] = []
  #running: { platform: Platform; couriers: Couriers }[] = []

  constructor(stores: Bench) {
    this.stores = stores
    this.db = stores.database()
  }

  static async start(): Promise<WebhookBench> {
    return new WebhookBench(await Bench.start())
  }

  async receiver(options: ReceiverOptions = {}): Promise<Receiver> {
    const receiver = await new Receiver(options).up()
    this.#receivers.push(receiver)
    return receiver
  }

  config(env: Record<string, string>): Config {
    return loadConfig('worker', { DATABASE_URL: this.stores.postgres.url, LOG_LEVEL: 'silent', ...env })
  }

  /** Writes events for the endpoints of `env`. */
  service(env: Record<string, string>): ServiceParts {
    return this.stores.service({ calls: this.config(env).calls, poolMax: 10 })
  }

  /** Starts the couriers of one more worker. */
  couriers(env: Record<string, string>): { platform: Platform; couriers: Couriers } {
    const platform = createPlatform(this.config(env))
    platform.redis.disconnect()
    const couriers = new Couriers(platform)
    couriers.start()
    this.#running.push({ platform, couriers })
    return { platform, couriers }
  }

  /** Ends the couriers, not the stores, and forgets what is left, so that the next test begins with nothing. */
  async reset(): Promise<void> {
    const running = this.#running
    this.#running = []
    for (const receiver of this.#receivers.splice(0)) await receiver.down()
    for (const { platform, couriers } of running) {
      await couriers.stop()
      await platform.db.destroy()
    }
    await this.db.raw('DELETE FROM webhook_deliveries')
  }

  async stop(): Promise<void> {
    await this.reset()
    await this.stores.stop()
  }

  /** What the events of an endpoint should look like to its receiver: types by call, in order. */
  async written(endpoint = 'hook-1'): Promise<Map<string, string[]>> {
    const { rows } = await this.db.raw<{ rows: { call_id: string; type: string }[] }>(
      'SELECT call_id, type FROM webhook_deliveries WHERE endpoint = ? ORDER BY id',
      [endpoint],
    )
    const calls = new Map<string, string[]>()
    for (const { call_id, type } of rows) calls.set(call_id, [...(calls.get(call_id) ?? []), type])
    return calls
  }

  /** The first few that are not delivered, to say what is wrong. */
  async waiting(endpoint: string): Promise<unknown[]> {
    const { rows } = await this.db.raw<{ rows: unknown[] }>(
      `SELECT id, call_id, type, state, attempts, lease, last_outcome, last_status,
              extract(epoch FROM due_at - clock_timestamp()) AS due_seconds
       FROM webhook_deliveries WHERE endpoint = ? AND state <> 'delivered' ORDER BY id LIMIT 10`,
      [endpoint],
    )
    return rows
  }

  async pending(endpoint = 'hook-1'): Promise<number> {
    const { rows } = await this.db.raw<{ rows: { count: number }[] }>(
      `SELECT count(*)::int AS count FROM webhook_deliveries WHERE endpoint = ? AND state = 'pending'`,
      [endpoint],
    )
    return rows[0]?.count ?? 0
  }
}

/** A call from its creation to its end, with every event that it can have. */
export async function wholeCall({ calls }: ServiceParts): Promise<string> {
  const users = pair()
  const { call } = await calls.initiate(users)
  await calls.rings.confirm(call.id, users.calleeId)
  await calls.answer(call.id, users.calleeId, 'phone')
  await calls.end(call.id, users.callerId, 'user_hangup')
  return call.id
}
