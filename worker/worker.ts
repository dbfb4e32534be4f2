/** All sweeps of one worker process, wired. Any number of workers may run: they share the work row by row. */
import { Gauge, type Registry } from 'prom-client'
import type { RoomView } from '../core/calls/call-deadlines.ts'
import { CallEvents } from '../core/calls/call-events.ts'
import { CallService } from '../core/calls/call-service.ts'
import { GroupEvents } from '../core/calls/group-events.ts'
import { type GroupScope, scopeOf } from '../core/calls/group-scope.ts'
import type { Platform } from '../core/context.ts'
import { type CallGroup, groupNamed } from '../core/platform/call-groups.ts'
import { ConnectionDirectory } from '../core/presence/connection-directory.ts'
import { type SeenUser, writeSeenUsers } from '../core/presence/seen-users.ts'
import { NodeDirectory } from '../core/rooms/node-directory.ts'
import { RoomKeeper } from '../core/rooms/room-keeper.ts'
import { RoomDirectory } from '../core/rooms/room-view.ts'
import { Contact, storeProbes } from './contact.ts'
import { type Sweep, Sweeper } from './sweeper.ts'
import { abandonedCalls } from './sweeps/abandoned-calls.ts'
import { deadNodes } from './sweeps/dead-nodes.ts'
import { leftoverEvents } from './sweeps/leftover-events.ts'
import { liveCalls } from './sweeps/live-calls.ts'
import { reconnectGraces } from './sweeps/reconnect-graces.ts'
import { rollCall } from './sweeps/roll-call.ts'
import { unansweredCalls } from './sweeps/unanswered-calls.ts'
import { unreachableCallees } from './sweeps/unreachable-callees.ts'
import { upkeep } from './sweeps/upkeep.ts'
import { webhookUpkeep } from './sweeps/webhook-upkeep.ts'
import { Couriers } from './webhooks/couriers.ts'

export interface Worker {
  readonly running: boolean
  start(): void
  /** Awaits the passes under way and the events that they have caused. */
  stop(): Promise<void>
}

/** Starts nothing and connects to nothing yet; the stores may be away. */
export function createWorker(platform: Platform): Worker {
  const { config, db, groupRedis, log, registry } = platform
  const { groups } = config
  const { keyPrefix } = config.redis
  const { sweepIntervalMs } = config.worker
  // Each group has its own contact: where one Redis is away, the calls of the others are judged as ever.
  const watches = new Map(groups.all.map((group) => [group.name, watchGroup(platform, group)]))
  observeContact(registry, () => [...watches.values()].every(({ contact }) => contact.isUnbroken))
  const calls = new CallService({
    db,
    config: config.calls,
    groups,
    events: new GroupEvents(groups, (name) => new CallEvents(groupRedis.of(name), keyPrefix)),
    rooms: {
      async look(callIds, group) {
        const watch = watches.get(groupNamed(groups, group).name)
        if (watch === undefined) throw new Error('No such group')
        return watch.rooms.look(callIds, group)
      },
    },
    log,
    registry,
  })
  const couriers = new Couriers(platform)
  const writeSeen = (seen: SeenUser[]) => writeSeenUsers(db, seen)
  const sweepsOf = ({ contact, keeper, nodes, connections, scope }: GroupWatch): Sweep[] => [
    { name: 'contact', everyMs: sweepIntervalMs, run: () => contact.probe() },
    abandonedCalls(calls, contact, sweepIntervalMs, scope),
    deadNodes({ rooms: keeper, nodes, connections, calls, writeSeen, contact, log }, sweepIntervalMs),
    reconnectGraces(keeper, sweepIntervalMs),
    rollCall(calls, contact, scope),
    leftoverEvents(calls, scope),
  ]
  const sweeper = new Sweeper(
    [
      ...[...watches.values()].flatMap(sweepsOf),
      unansweredCalls(calls, sweepIntervalMs),
      unreachableCallees(calls, sweepIntervalMs),
      upkeep(calls),
      liveCalls(calls),
      ...webhookUpkeep(couriers, config),
    ],
    log,
    registry,
  )
  return {
    get running() {
      return sweeper.running
    },
    start() {
      sweeper.start()
      couriers.start()
    },
    async stop() {
      await Promise.all([sweeper.stop(), couriers.stop()])
      await calls.close()
    },
  }
}

function observeContact(registry: Registry, isUnbroken: () => boolean): void {
  new Gauge({
    name: 'worker_contact_unbroken',
    help: 'Whether this worker has been in contact with all stores for a whole lease, and may judge: 1 or 0.',
    registers: [registry],
    collect() {
      this.set(isUnbroken() ? 1 : 0)
    },
  })
}

/** What a worker has for one group. */
interface GroupWatch {
  contact: Contact
  keeper: RoomKeeper
  nodes: NodeDirectory
  connections: ConnectionDirectory
  rooms: RoomView
  scope: GroupScope | undefined
}

function watchGroup({ config, db, groupRedis }: Platform, group: CallGroup): GroupWatch {
  const redis = groupRedis.of(group.name)
  const { keyPrefix } = config.redis
  const { leaseMs } = config.nodes
  const { reconnectGraceMs } = config.signaling
  const contact = new Contact(storeProbes(db, redis, keyPrefix, leaseMs), leaseMs)
  return {
    contact,
    keeper: new RoomKeeper(redis, keyPrefix, { leaseMs, reconnectGraceMs }),
    nodes: new NodeDirectory(redis, keyPrefix, leaseMs),
    connections: new ConnectionDirectory(redis, keyPrefix),
    rooms: contact.guard(new RoomDirectory(redis, keyPrefix, leaseMs)),
    scope: scopeOf(config.groups, group),
  }
}
