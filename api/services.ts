/** What the routes work with, built from the platform: the wiring of the API in one place. */
import { CallEvents } from '../core/calls/call-events.ts'
import { CallService } from '../core/calls/call-service.ts'
import type { Platform } from '../core/context.ts'
import { DemoUsers } from '../core/demo/demo-users.ts'
import { createTokenVerifier, type TokenVerifier } from '../core/platform/tokens.ts'
import { Connections } from '../core/presence/connections.ts'
import { PresenceService } from '../core/presence/presence-service.ts'
import { PresenceStore } from '../core/presence/presence-store.ts'
import { RoomDirectory } from '../core/rooms/room-view.ts'
import { DeadLetters } from '../core/webhooks/dead-letters.ts'
import { ApiMetrics } from './api-metrics.ts'

export interface ApiServices {
  platform: Platform
  tokens: TokenVerifier
  calls: CallService
  rooms: RoomDirectory
  presence: PresenceService
  deadLetters: DeadLetters
  demoUsers: DemoUsers
  metrics: ApiMetrics
}

/** Builds everything and waits for nothing: the API starts, and answers 503, while its stores are away. */
export function createServices(platform: Platform): ApiServices {
  const { config, db, redis, log, registry } = platform
  const rooms = new RoomDirectory(redis, config.redis.keyPrefix, config.nodes.leaseMs)
  return {
    platform,
    tokens: createTokenVerifier(config.tokens),
    calls: new CallService({
      db,
      config: { ...config.calls, publicUrl: config.http.publicUrl },
      events: new CallEvents(redis, config.redis.keyPrefix),
      rooms,
      log,
      registry,
    }),
    rooms,
    presence: new PresenceService({
      store: new PresenceStore(db),
      connections: new Connections(redis, config.redis.keyPrefix, config.nodes.leaseMs),
      onlineAfterPutMs: config.presence.onlineAfterPutMs,
      log,
    }),
    deadLetters: new DeadLetters(
      db,
      config.webhooks.endpoints.map(({ name }) => name),
      config.webhooks.giveUpMs,
    ),
    demoUsers: new DemoUsers(db),
    metrics: new ApiMetrics(registry),
  }
}
