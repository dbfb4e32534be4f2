/** A little of everything that a deployment sees: calls of all outcomes, refusals, webhooks, and both stores away. */
import { randomUUID } from 'node:crypto'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { ApiClient, createUser } from '../support/api-client.ts'
import { joinBoth, newCall, newUser, openChannel, type TestCall } from '../support/calls.ts'
import { PEER_KINDS, refusalOf } from '../support/connect-peer.ts'
import { eventually } from '../support/eventually.ts'
import { expireRing } from '../support/expire-ring.ts'
import { shortSeconds } from '../support/patience.ts'
import type { Peer } from '../support/peer.ts'

/** Settings under which a minute is long enough. */
export const HASTY = {
  UNREACHABLE_AFTER_SECONDS: '1',
  RECONNECT_GRACE_SECONDS: '1',
  NODE_BEAT_SECONDS: '0.5',
  NODE_LEASE_SECONDS: shortSeconds(3),
  RELAY_HOLD_SECONDS: shortSeconds(1),
  DATABASE_TIMEOUT_SECONDS: shortSeconds(1),
  RATE_LIMIT_HISTORY_PER_MINUTE: '3',
  WEBHOOK_BACKOFF_SECONDS: '0.2',
  TURN_URLS: 'turn:127.0.0.1:3478',
  TURN_SECRET: 'a secret that no TURN server shares',
}

const STATS = {
  rtt_ms: 80,
  jitter_ms: 4,
  packet_loss_ratio: 0.01,
  inbound_bitrate_bps: 800_000,
  outbound_bitrate_bps: 600_000,
}

/** The normal life of a service: what this does may be repeated. */
export async function goodTimes(cluster: Cluster): Promise<void> {
  await Promise.all([
    ...PEER_KINDS.map((kind) => wholeCall(cluster, kind)),
    oneGateway(cluster),
    unanswered(cluster),
    glare(cluster),
    refusals(cluster),
    presence(cluster),
  ])
}

/** Both stores go away and come back, Redis without what it knew. */
export async function badTimes(cluster: Cluster): Promise<void> {
  const call = await newCall(cluster)
  const caller = await call.caller.joinAs('raw', { at: 0 })
  const callee = await call.callee.joinAs('socketio', { at: 0 })
  const { api, id } = call.caller.user
  await cluster.stopRedis()
  caller.candidate('while Redis is away')
  await callee.next('candidate')
  await api.history(id)
  await refusalOf('raw', call.caller.optionsFor())
  // Longer than a message may wait for its place.
  await caller.next('error')
  await cluster.startRedis()
  await callee.next((message) => message.type === 'resumed' && !message.recovered)
  await cluster.stopPostgres()
  await eventually(async () => {
    const { status } = await api.status(call.id)
    if (status !== 503) throw new Error(`${status} instead of 503`)
  })
  await cluster.startPostgres()
  await eventually(async () => {
    const { status } = await api.end(call.id)
    if (status >= 500) throw new Error(`${status}, Postgres is not back`)
  })
}

/** Rings, is answered, connects over two gateways, reports, loses a connection, resumes, and ends. */
async function wholeCall(cluster: Cluster, kind: 'raw' | 'socketio'): Promise<void> {
  const callee = newUser(cluster)
  const channel = await openChannel(cluster, callee, kind, { at: 'edge' })
  const call = await newCall(cluster, { type: 'video', callee })
  await channel.next('incoming-call')
  channel.send(channel.ringingMessage(call.id))
  await channel.next('call-status')
  await call.answer()
  const peers = await joinBoth(call, { caller: kind, callee: kind })
  await converse(peers.caller, peers.callee)
  await report(call, peers)
  peers.caller.send({ type: 'ice-servers', call_id: call.id, user_id: peers.caller.userId })
  const { seq } = await peers.caller.next('ice-servers').then(() => peers.callee.next('candidate'))
  await peers.callee.terminate()
  peers.caller.candidate('while the callee is away')
  const again = await call.callee.connect(kind, { since: seq })
  await again.next('resumed')
  await call.end()
  await channel.close()
}

/** Both peers on one gateway, and a message that is sent twice. */
async function oneGateway(cluster: Cluster): Promise<void> {
  const call = await newCall(cluster)
  const early = await call.caller.joinAs('raw', { at: 0 })
  // Nobody is there yet: it waits in the log.
  early.offer('offer')
  await call.answer()
  const late = await call.callee.joinAs('raw', { at: 0 })
  await late.next('offer')
  await converse(early, late)
  for (let time = 0; time < 2; time++) await early.sendAndAck({ ...early.candidateMessage('again'), id: 'again' })
  await call.end('connection_failed')
}

async function converse(caller: Peer, callee: Peer): Promise<void> {
  caller.offer('offer')
  await callee.next('offer')
  callee.send(callee.answerMessage('answer'))
  await caller.next('answer')
  for (let number = 0; number < 10; number++) caller.candidate(`candidate ${number}`)
}

async function report(call: TestCall, { caller, callee }: { caller: Peer; callee: Peer }): Promise<void> {
  const say = (peer: Peer, state: string, stats?: object) =>
    peer.sendAndAck(peer.stateMessage(state, stats ? { stats } : {}))
  await say(caller, 'connecting')
  await say(caller, 'connected', { ...STATS, candidate_type: 'relay' })
  await say(caller, 'connected', STATS)
  if (call.id < '8') await say(callee, 'failed')
  else await say(callee, 'connected', { ...STATS, candidate_type: 'host' })
}

async function unanswered(cluster: Cluster): Promise<void> {
  const call = await newCall(cluster)
  await eventually(async () => {
    const { ring_state } = await call.status()
    if (ring_state !== 'unreachable') throw new Error(`the ring is ${ring_state ?? 'new'}`)
  })
  await expireRing(cluster, call.callee.user.id)
  await eventually(async () => {
    const { status } = await call.status()
    if (status !== 'ended') throw new Error(`the call is still ${status}`)
  })
}

async function glare(cluster: Cluster): Promise<void> {
  const [one, other] = [newUser(cluster), newUser(cluster)]
  await one.api.initiateOrMerge({ caller_id: one.id, callee_id: other.id })
  const { body } = await other.api.initiateOrMerge({ caller_id: other.id, callee_id: one.id })
  await one.api.end(body.call_id)
}

/** What clients do wrong: over HTTP, in handshakes, and in messages. */
async function refusals(cluster: Cluster): Promise<void> {
  const call = await newCall(cluster)
  const { api, id } = call.caller.user
  await api.initiate({ caller_id: id, callee_id: randomUUID() })
  await api.as('no token').health()
  await api.as('no token').status(call.id)
  for (let time = 0; time < 5; time++) await api.history(id)
  for (const kind of PEER_KINDS) await refusalOf(kind, { ...call.caller.optionsFor(), token: 'no token' })
  const peer = await call.caller.joinAs('raw')
  peer.send({ type: 'offer', call_id: call.id })
  await peer.next('error')
  await call.end()
}

/** Through the edge, as it is for users. */
async function presence(cluster: Cluster): Promise<void> {
  const user = createUser(cluster.url, cluster.jwtSecret)
  const edge = new ApiClient(cluster.url, user.token)
  await edge.setPresence({ status: 'online' })
  await edge.presence(user.id)
  await edge.checkPresence(user.id)
  await edge.history(user.id)
}
