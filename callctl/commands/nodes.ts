/** `callctl nodes` */
import { NodeDirectory, type NodeRow } from '../../core/rooms/node-directory.ts'
import { noPositional } from '../arguments.ts'
import type { Command } from '../command.ts'
import { duration, table } from '../table.ts'

export const nodes: Command = {
  name: 'nodes',
  usage: 'nodes',
  summary: 'the gateways, whether they live, and what they serve',
  help: 'A node is one start of a gateway. Those that are dead and not buried yet are listed, too. Needs Redis.',
  options: {},
  async run(input, stores) {
    noPositional(input)
    const { config } = stores
    const rows = await new NodeDirectory(await stores.redis(), config.redis.keyPrefix, config.nodes.leaseMs).list()
    const text = rows.length === 0 ? 'no gateway beats' : table(rows, COLUMNS)
    return { json: { nodes: rows.map(presentNode) }, text }
  },
}

/** `dead` beats the node's own word; `unknown` where it has not told. */
export function stateOf({ isLive, about }: NodeRow): string {
  return isLive ? (about?.state ?? 'unknown') : 'dead'
}

const COLUMNS = [
  { title: 'NODE', value: (row: NodeRow) => row.nodeId },
  { title: 'STATE', value: stateOf },
  { title: 'LAST BEAT', value: (row: NodeRow) => `${duration(row.beatAgeMs / 1000)} ago` },
  { title: 'UP', value: (row: NodeRow) => row.about && duration(row.about.uptimeSeconds) },
  { title: 'CALL CONNECTIONS', value: (row: NodeRow) => row.about?.callConnections },
  { title: 'USER CHANNELS', value: (row: NodeRow) => row.about?.userChannels },
  { title: 'VERSION', value: (row: NodeRow) => row.about?.version },
]

function presentNode(row: NodeRow) {
  const { nodeId, isLive, beatAgeMs, about } = row
  return {
    node_id: nodeId,
    state: stateOf(row),
    live: isLive,
    beat_age_ms: beatAgeMs,
    started_at: about?.startedAt ?? null,
    uptime_seconds: about?.uptimeSeconds ?? null,
    call_connections: about?.callConnections ?? null,
    user_channels: about?.userChannels ?? null,
    version: about?.version ?? null,
  }
}
