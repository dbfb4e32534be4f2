/** What the routes work with, built from the platform: the wiring of the API in one place. */
import { CallEvents } from '../core/calls/call-events.ts'
import { CallService } from '../core/calls/call-service.ts'
import { GroupEvents } from '../core/calls/group-events.ts'
import type { Platform } from '../core/context.ts'
import { DemoUsers } from '../core/demo/demo-users.ts'
import { SocketTickets } from '../core/platform/socket-tickets.ts'
import { createTokenVerifier, type TokenVerifier } from '../core/platform/tokens.ts'
import { Connections } from '../core/presence/connections.ts'
import { GroupPresence } from '../core/presence/group-presence.ts'
import { PresenceService } from '../core/presence/presence-service.ts'
import { PresenceStore } from '../core/presence/presence-store.ts'
import { GroupRooms } from '../core/rooms/group-rooms.ts'
import { RoomDirectory } from '../core/rooms/room-view.ts'
import { DeadLetters } from '../core/webhooks/dead-letters.ts'
import { ApiMetrics } from './api-metrics.ts'

export interface ApiServices {
  platform: Platform
  tokens: TokenVerifier
  tickets: SocketTickets
  calls: CallService
  rooms: GroupRooms
  presence: PresenceService
  deadLetters: DeadLetters
  demoUsers: DemoUsers
  metrics: ApiMetrics
}

/** Builds everything and waits for nothing: the API starts, and answers 503, while its stores are away. */
export function createServices(platform: Platform): ApiServices {
  const { config, db, groupRedis, log, registry } = platform
  const { groups } = config
  const { keyPrefix } = config.redis
  const { leaseMs } = config.nodes
  const rooms = new GroupRooms(groups, (name) => new RoomDirectory(groupRedis.of(name), keyPrefix, leaseMs))
  return {
    platform,
    tokens: createTokenVerifier(config.tokens),
    tickets: new SocketTickets(groupRedis.of(groups.first.name), keyPrefix),
    calls: new CallService({
      db,
      config: config.calls,
      groups,
      events: new GroupEvents(groups, (name) => new CallEvents(groupRedis.of(name), keyPrefix)),
      rooms,
      log,
      registry,
    }),
    rooms,
    presence: new PresenceService({
      store: new PresenceStore(db),
      connections: new GroupPresence(
        groups.all.map(({ name }) => new Connections(groupRedis.of(name), keyPrefix, leaseMs)),
      ),
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
