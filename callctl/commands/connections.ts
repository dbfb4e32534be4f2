/** `callctl connections` */
import type { Call } from '../../core/calls/call.ts'
import { CallStore } from '../../core/calls/call-store.ts'
import { withRetries } from '../../core/calls/database-retry.ts'
import { ConnectionDirectory, type ConnectionRow } from '../../core/presence/connection-directory.ts'
import { AppError } from '../../core/protocol/errors.ts'
import { RoomDirectory } from '../../core/rooms/room-view.ts'
import { noPositional, readNumber, readText, readUuid } from '../arguments.ts'
import { type Command, type Input, UsageError } from '../command.ts'
import { findNode } from '../find-node.ts'
import type { OpenGroup, Stores } from '../stores.ts'
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
  if (node !== undefined) {
    const { nodeId, group } = await findNode(stores, node)
    return withSeats(stores, group, await directoryOf(stores, group).ofNode(nodeId))
  }
  const userId = readUuid(user, '--user')
  const groups = await stores.groups()
  const rows = await Promise.all(
    groups.map(async (group) => withSeats(stores, group, await directoryOf(stores, group).ofUsers([userId]))),
  )
  return rows.flat()
}

/** @throws StoreAway where the Redis of the call's group does not answer */
export async function connectionsOfCall(
  stores: Stores,
  call: Pick<Call, 'id' | 'group' | 'callerId' | 'calleeId'>,
): Promise<SeenConnection[]> {
  const group = await stores.groupOf(call.group)
  const rows = await directoryOf(stores, group).ofUsers([call.callerId, call.calleeId])
  const own = rows.filter(({ callId }) => callId === call.id)
  return withSeats(stores, group, own)
}

function directoryOf({ config }: Stores, { redis }: OpenGroup): ConnectionDirectory {
  return new ConnectionDirectory(redis, config.redis.keyPrefix)
}

async function withSeats({ config }: Stores, { redis }: OpenGroup, rows: ConnectionRow[]): Promise<SeenConnection[]> {
  const rooms = new RoomDirectory(redis, config.redis.keyPrefix, config.nodes.leaseMs)
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
