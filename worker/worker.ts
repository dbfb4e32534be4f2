/** All sweeps of one worker process, wired. Any number of workers may run: they share the work row by row. */
import { Gauge, type Registry } from 'prom-client'
import { CallEvents } from '../core/calls/call-events.ts'
import { CallService } from '../core/calls/call-service.ts'
import type { Platform } from '../core/context.ts'
import { RoomKeeper } from '../core/rooms/room-keeper.ts'
import { RoomDirectory } from '../core/rooms/room-view.ts'
import { Contact, storeProbes } from './contact.ts'
import { Sweeper } from './sweeper.ts'
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
  const { config, db, redis, log, registry } = platform
  const { keyPrefix } = config.redis
  const { leaseMs } = config.nodes
  const { sweepIntervalMs } = config.worker
  const contact = new Contact(storeProbes(db, redis, keyPrefix, leaseMs), leaseMs)
  observeContact(registry, contact)
  const calls = new CallService({
    db,
    config: { ...config.calls, publicUrl: config.http.publicUrl },
    events: new CallEvents(redis, keyPrefix),
    rooms: contact.guard(new RoomDirectory(redis, keyPrefix, leaseMs)),
    log,
    registry,
  })
  const keeper = new RoomKeeper(redis, keyPrefix, { leaseMs, reconnectGraceMs: config.signaling.reconnectGraceMs })
  const couriers = new Couriers(platform)
  const sweeper = new Sweeper(
    [
      { name: 'contact', everyMs: sweepIntervalMs, run: () => contact.probe() },
      unansweredCalls(calls, sweepIntervalMs),
      unreachableCallees(calls, sweepIntervalMs),
      abandonedCalls(calls, contact, sweepIntervalMs),
      deadNodes(keeper, calls, contact, sweepIntervalMs),
      reconnectGraces(keeper, sweepIntervalMs),
      rollCall(calls, contact),
      leftoverEvents(calls),
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

function observeContact(registry: Registry, contact: Contact): void {
  new Gauge({
    name: 'worker_contact_unbroken',
    help: 'Whether this worker has been in contact with both stores for a whole lease, and may judge: 1 or 0.',
    registers: [registry],
    collect() {
      this.set(contact.isUnbroken ? 1 : 0)
    },
  })
}
