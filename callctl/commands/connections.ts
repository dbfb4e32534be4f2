/** `callctl connections` */
import { CallStore } from '../../core/calls/call-store.ts'
import { withRetries } from '../../core/calls/database-retry.ts'
import { ConnectionDirectory, type ConnectionRow } from '../../core/presence/connection-directory.ts'
import { AppError } from '../../core/protocol/errors.ts'
import { NodeDirectory } from '../../core/rooms/node-directory.ts'
import { RoomDirectory } from '../../core/rooms/room-view.ts'
import { noPositional, readNumber, readText, readUuid } from '../arguments.ts'
import { type Command, type Input, UsageError } from '../command.ts'
import { findNode } from '../find-node.ts'
import type { Stores } from '../stores.ts'
import { table } from '../table.ts'

/** A connection, and whether it has a seat in the room of its call; null for a user channel. */
export type SeenConnection = ConnectionRow & { joined: boolean | null }

export const connections: Command = {
  name: 'connections',
  usage: 'connections --call <uuid> | --user <uuid> | --node <id>',
  summary: 'who is connected where',
  help: 'Of a call (needs Postgres, too), of a user, or of a node by its id or name. Needs Redis; a node takes a look at all users.',
  options: {
    call: { type: 'string', about: 'the connections of both participants to this call' },
    user: { type: 'string', about: 'the call connections and user channels of this user' },
    node: { type: 'string', about: 'all connections of this node' },
    limit: { type: 'string', about: 'lines at most, 200 by default; --json has all' },
  },
  async run(input, stores) {
    noPositional(input)
    const limit = readNumber(input, 'limit', { min: 1, max: 100_000, fallback: 200 })
    const rows = await readConnections(input, stores)
    const more = rows.length > limit ? `\n… and ${rows.length - limit} more (--limit)` : ''
    const text = rows.length === 0 ? 'no connections' : connectionTable(rows.slice(0, limit)) + more
    return { json: { connections: rows.map(presentConnection) }, text }
  },
}

async function readConnections(input: Input, stores: Stores): Promise<SeenConnection[]> {
  const [call, user, node] = ['call', 'user', 'node'].map((name) => readText(input, name))
  if ([call, user, node].filter((given) => given !== undefined).length !== 1)
    throw new UsageError('Say one of --call, --user and --node')
  if (call !== undefined) {
    const callId = readUuid(call, '--call')
    const store = new CallStore(stores.db, stores.config.calls)
    const found = await withRetries(() => store.find(callId), { repeatable: true })
    if (found === undefined) throw new AppError('CALL_NOT_FOUND')
    return connectionsOfCall(stores, found)
  }
  const { config } = stores
  const redis = await stores.redis()
  const directory = new ConnectionDirectory(redis, config.redis.keyPrefix)
  if (user !== undefined) return withSeats(stores, await directory.ofUsers([readUuid(user, '--user')]))
  const nodes = new NodeDirectory(redis, config.redis.keyPrefix, config.nodes.leaseMs)
  const { nodeId } = await findNode(nodes, node ?? '')
  return withSeats(stores, await directory.ofNode(nodeId))
}

/** @throws StoreAway */
export async function connectionsOfCall(
  stores: Stores,
  call: { id: string; callerId: string; calleeId: string },
): Promise<SeenConnection[]> {
  const directory = new ConnectionDirectory(await stores.redis(), stores.config.redis.keyPrefix)
  const rows = await directory.ofUsers([call.callerId, call.calleeId])
  return withSeats(
    stores,
    rows.filter(({ callId }) => callId === call.id),
  )
}

async function withSeats(stores: Stores, rows: ConnectionRow[]): Promise<SeenConnection[]> {
  const { config } = stores
  const rooms = new RoomDirectory(await stores.redis(), config.redis.keyPrefix, config.nodes.leaseMs)
  const seated = await rooms.seatedConnections(new Set(rows.flatMap(({ callId }) => (callId === '' ? [] : [callId]))))
  return rows.map((row) => ({ ...row, joined: row.kind === 'call' ? seated.has(row.connectionId) : null }))
}

export function connectionTable(rows: SeenConnection[]): string {
  return table(rows, [
    { title: 'USER', value: (row) => row.userId },
    { title: 'KIND', value: (row) => (row.kind === 'call' ? 'call' : 'channel') },
    { title: 'CALL', value: (row) => row.callId },
    { title: 'JOINED', value: (row) => (row.joined === null ? undefined : row.joined ? 'yes' : 'no') },
    { title: 'DEVICE', value: (row) => row.device },
    { title: 'NODE', value: (row) => row.nodeId },
  ])
}

export function presentConnection(row: SeenConnection) {
  return {
    connection_id: row.connectionId,
    user_id: row.userId,
    kind: row.kind,
    call_id: row.callId || null,
    joined: row.joined,
    device: row.device || null,
    node_id: row.nodeId,
  }
}
