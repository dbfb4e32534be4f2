/** Wires one gateway node: its HTTP port with both socket transports, its place in the cluster, and its orderly end. */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createAdapter } from '@socket.io/redis-adapter'
import type { CallService } from '../core/calls/call-service.ts'
import type { Platform } from '../core/context.ts'
import { createRedis, type RedisPurpose, warnOfPersistence } from '../core/platform/redis.ts'
import { SocketTickets } from '../core/platform/socket-tickets.ts'
import { createTokenVerifier } from '../core/platform/tokens.ts'
import { Connections } from '../core/presence/connections.ts'
import { LastSeen } from '../core/presence/last-seen.ts'
import { writeSeenUsers } from '../core/presence/seen-users.ts'
import { adapterKey } from '../core/protocol/cluster-events.ts'
import { AppError } from '../core/protocol/errors.ts'
import { CLOSE } from '../core/protocol/signaling.ts'
import { ConnectionReports } from '../core/rooms/connection-reports.ts'
import { RoomStore } from '../core/rooms/room-store.ts'
import { ByteBudgets } from './byte-budgets.ts'
import { ChannelMessages } from './channel-messages.ts'
import { ControlEvents } from './control-events.ts'
import { Delivery } from './delivery.ts'
import { Drain } from './drain.ts'
import { FinishedCalls } from './finished-calls.ts'
import { WriteSchedule } from './frame-queue.ts'
import { createGatewayMetrics, observeHandshakes } from './gateway-metrics.ts'
import { Handshakes } from './handshake.ts'
import { refuseUpgrade } from './http-refusal.ts'
import { IceRefresh } from './ice-refresh.ts'
import { KnownCalls } from './known-calls.ts'
import type { LocalCall } from './local-call.ts'
import { Membership } from './membership.ts'
import { NodePresence } from './node-presence.ts'
import { OperatorWishes } from './operator-wishes.ts'
import { PeerLifecycle } from './peer-lifecycle.ts'
import { PeerRegistry } from './peer-registry.ts'
import { createPublicServer, listen, routeUpgrades, trackSockets } from './public-port.ts'
import { Quality } from './quality.ts'
import { createQualityMetrics } from './quality-metrics.ts'
import { RawServer } from './raw/raw-server.ts'
import { RecentMessages } from './recent-messages.ts'
import { Relay } from './relay.ts'
import { observeWaiting } from './relay-metrics.ts'
import { RewriteFirst } from './rewrite-first.ts'
import { Rings } from './rings.ts'
import { RoomRecord } from './room-record.ts'
import { Signaling } from './signaling.ts'
import { createIoServer, type IoServer, serveSocketIo } from './socketio/socketio-server.ts'
import { Witness } from './witness.ts'

/** Longest wait at the end for Redis to take the last words of this node. */
const FAREWELL_MS = 2000

/** Longest wait for the last close frames to be taken. */
const LINGER_MS = 500

const REPLACED = 'A newer connection of this device has taken over'

export interface Gateway {
  port: number
  drain: Drain
}

/** Starts listening, and adds this node's shutdown steps. `calls` is asked for a call on its first connection here. */
export async function startGateway(platform: Platform, calls: CallService): Promise<Gateway> {
  const { config, log, redis, db, registry: metricsRegistry, shutdown } = platform
  // A name may come back with another process (a restarted container); what its predecessor left must stay recognisable.
  const nodeId = `${config.nodeName.replace(/[^\w.-]/g, '_')}.${randomBytes(4).toString('hex')}`
  const metrics = createGatewayMetrics(metricsRegistry)
  const open = (name: string, purpose: RedisPurpose) =>
    platform.redisMetrics.watch(name, createRedis(config.redis, purpose, log))
  const subscriber = open('inbox', 'subscriber')
  const adapterPublisher = open('events_out', 'publisher')
  const adapterSubscriber = open('events_in', 'subscriber')

  const store = new RoomStore(redis, config.redis.keyPrefix, nodeId)
  const connections = new Connections(redis, config.redis.keyPrefix, config.nodes.leaseMs)
  const registry = new PeerRegistry()
  const lastSeen = new LastSeen({
    write: (seen) => writeSeenUsers(db, seen),
    connected: () => registry.userIds(),
    log,
  })
  const record = new RoomRecord(calls, log)
  const witness = new Witness(calls.journal, nodeId)
  const delivery = new Delivery(store, log, metrics)
  const recent = new RecentMessages()
  const rewriteFirst = new RewriteFirst(() => redis.history)
  const relay = new Relay(store, rewriteFirst, metrics.relay, config.signaling)
  const { reconnectGraceMs } = config.signaling
  const membership = new Membership({ store, delivery, record, witness, metrics, log, reconnectGraceMs })
  const drain = new Drain(registry, membership, config.signaling.drainWindowMs, log)
  const wishes = new OperatorWishes(registry, drain, log)
  const rings = new Rings({ registry, calls, log })
  const quality = new Quality(
    new ConnectionReports(redis, config.redis.keyPrefix),
    createQualityMetrics(metricsRegistry),
    witness,
  )
  const iceRefresh = new IceRefresh(config.ice, metrics)
  const known = new KnownCalls({ registry, calls, store, log })
  const finished = new FinishedCalls(store)
  const control = new ControlEvents({ registry, known, store, quality, rings, finished, calls, log })
  const node: NodePresence = new NodePresence({
    nodeId,
    store,
    connections,
    registry,
    membership,
    delivery,
    recent,
    rewriteFirst,
    redis,
    subscriber,
    beatMs: config.nodes.beatMs,
    metrics,
    about: () => wishes.about(),
    onDrainAsked: (wish) => wishes.follow(wish),
    onInterrupted: () => void control.rereadAll(),
    onReplaced: (peer) => signaling.refuse(peer, new AppError('CONFLICT', REPLACED), undefined, CLOSE.REPLACED),
    log,
  })
  const onForgotten = (call: LocalCall) => {
    node
      .restoreCall(call)
      .catch((error: Error) => log.debug({ callId: call.id, err: error.message }, 'call not restored'))
  }
  const channel = new ChannelMessages({
    calls,
    newestStatus: (callId) => registry.newestStatus(callId),
    refuse: (peer, error, incoming) => signaling.refuse(peer, error, incoming),
  })
  const reports = { quality, iceRefresh, witness }
  const rooms = { registry, membership, relay, recent, delivery }
  const limits = config.signaling
  const budgets = new ByteBudgets(limits)
  const signaling = new Signaling({ ...rooms, channel, metrics, budgets, limits, onForgotten, ...reports })
  const handshakes = new Handshakes({
    nodeId,
    tokens: createTokenVerifier(config.tokens),
    tickets: new SocketTickets(platform.groupRedis.of(config.groups.first.name), config.redis.keyPrefix),
    calls: known,
    connections,
    limits,
    corsOrigins: config.http.corsOrigins,
    groups: config.groups,
    draining: () => drain.started,
    metrics,
    log,
  })
  observeHandshakes(metricsRegistry, () => handshakes.counts)
  observeWaiting(metricsRegistry, () => relay.waiting)
  const onSeen = (userId: string) => lastSeen.seen(userId)
  const seats = { registry, handshakes, membership, signaling, iceRefresh, witness }
  const lifecycle = new PeerLifecycle({ ...seats, store, metrics, rings, onSeen, log })

  const http = createPublicServer()
  const sockets = trackSockets(http)
  const io = createIoServer(http, { ...limits, corsOrigins: config.http.corsOrigins })
  io.adapter(createAdapter(adapterPublisher, adapterSubscriber, { key: adapterKey(config.redis.keyPrefix) }))
  io.on('call-changed', (event) => control.onChanged(event))
  io.on('call-ringing', (event) => rings.onRinging(event))
  // The adapter's channels may have been interrupted where the inbox's was not.
  adapterSubscriber.on('close', () => known.forget())
  adapterSubscriber.on('resubscribed', () => void control.rereadAll())
  const schedule = new WriteSchedule()
  serveSocketIo(io, { handshakes, lifecycle, signaling, metrics, schedule, limits })
  const raw = new RawServer({ handshakes, lifecycle, signaling, metrics, schedule, limits })
  const onOneTooMany = (request: IncomingMessage, socket: Duplex) => {
    const error = handshakes.refusal()
    metrics.refusals.inc({ code: error.code, transport: request.url?.startsWith('/ws/') ? 'raw' : 'socketio' })
    refuseUpgrade(request, socket, error)
  }
  routeUpgrades(http, raw, io, onOneTooMany)

  await node.start()
  void warnOfPersistence(redis, log)
  lastSeen.start()
  const port = await listen(http, config.http.port, config.http.bindAddress)

  shutdown.add('move peers to other nodes', () => drain.run())
  shutdown.add('tell the room store', () => giveUpAfter(FAREWELL_MS, membership.settled()))
  // A seat that could not be given up is taken from the dead: the node must stay known until its lease is over.
  shutdown.add('leave the cluster', () => node.stop(membership.isSettled))
  shutdown.add('write what postgres must know', () =>
    giveUpAfter(FAREWELL_MS, Promise.all([record.close(), lastSeen.stop()])),
  )
  shutdown.add('close sockets', () => {
    rings.close()
    return closeSockets(io, raw, control, sockets)
  })
  shutdown.add('close subscriptions', () => {
    for (const client of [subscriber, adapterSubscriber, adapterPublisher]) client.disconnect()
  })
  return { port, drain }
}

async function closeSockets(io: IoServer, raw: RawServer, control: ControlEvents, sockets: Set<Socket>): Promise<void> {
  control.close()
  raw.close()
  const closed = io.close()
  // Clients that were sent away have gone by now; what is left does not answer.
  await giveUpAfter(LINGER_MS, closed)
  for (const socket of sockets) socket.destroy()
  await closed
}

async function giveUpAfter(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await Promise.race([
    work,
    new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms)
    }),
  ])
  clearTimeout(timer)
}
