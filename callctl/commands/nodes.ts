/** `callctl nodes` */
import type { NodeRow } from '../../core/rooms/node-directory.ts'
import { noPositional } from '../arguments.ts'
import type { Command } from '../command.ts'
import { type FoundNode, listNodes } from '../find-node.ts'
import { duration, table } from '../table.ts'

export const nodes: Command = {
  name: 'nodes',
  usage: 'nodes',
  summary: 'the gateways, whether they live, and what they serve',
  help: 'A node is one start of a gateway. Those that are dead and not buried yet are listed, too. Needs Redis.',
  options: {},
  async run(input, stores) {
    noPositional(input)
    const rows = await listNodes(stores)
    const columns = stores.config.groups.all.length === 1 ? COLUMNS : [GROUP, ...COLUMNS]
    const away = stores.away.map((name) => `\nthe Redis of group ${name} cannot be reached: its nodes are not shown`)
    const text = (rows.length === 0 ? 'no gateway beats' : table(rows, columns)) + away.join('')
    return { json: { nodes: rows.map(presentNode), unreachable_groups: stores.away }, text }
  },
}

/** `dead` beats the node's own word; `unknown` where it has not told. */
export function stateOf({ isLive, about }: NodeRow): string {
  return isLive ? (about?.state ?? 'unknown') : 'dead'
}

const GROUP = { title: 'GROUP', value: (row: FoundNode) => row.group.name }
const COLUMNS = [
  { title: 'NODE', value: (row: FoundNode) => row.nodeId },
  { title: 'STATE', value: stateOf },
  { title: 'LAST BEAT', value: (row: FoundNode) => `${duration(row.beatAgeMs / 1000)} ago` },
  { title: 'UP', value: (row: FoundNode) => row.about && duration(row.about.uptimeSeconds) },
  { title: 'CALL CONNECTIONS', value: (row: FoundNode) => row.about?.callConnections },
  { title: 'USER CHANNELS', value: (row: FoundNode) => row.about?.userChannels },
  { title: 'VERSION', value: (row: FoundNode) => row.about?.version },
]

function presentNode(row: FoundNode) {
  const { group, nodeId, isLive, beatAgeMs, about } = row
  return {
    node_id: nodeId,
    group: group.name,
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
