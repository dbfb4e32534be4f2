/** Lists the nodes of all groups, and finds the one that an operator means. */
import { NodeDirectory, type NodeRow } from '../core/rooms/node-directory.ts'
import { Refusal } from './command.ts'
import type { OpenGroup, Stores } from './stores.ts'

/** A node and its group. */
export interface FoundNode extends NodeRow {
  group: OpenGroup
}

export function directoryOf({ redis }: OpenGroup, { config }: Stores): NodeDirectory {
  return new NodeDirectory(redis, config.redis.keyPrefix, config.nodes.leaseMs)
}

/** The nodes of every group that can be reached. @throws StoreAway where none can */
export async function listNodes(stores: Stores): Promise<FoundNode[]> {
  const groups = await stores.groups()
  const rows = await Promise.all(
    groups.map(async (group) => (await directoryOf(group, stores).list()).map((row) => ({ ...row, group }))),
  )
  return rows.flat()
}

/**
 * By its id, or by the name before the dot where one live node has it.
 * @throws Refusal where there is none, or several
 */
export async function findNode(stores: Stores, text: string): Promise<FoundNode> {
  const rows = await listNodes(stores)
  const exact = rows.find(({ nodeId }) => nodeId === text)
  if (exact !== undefined) return exact
  const named = rows.filter(({ nodeId, isLive }) => isLive && nodeId.slice(0, nodeId.lastIndexOf('.')) === text)
  const [only, another] = named
  if (only === undefined) throw new Refusal(`There is no node ${text}; "callctl nodes" lists them`)
  if (another !== undefined)
    throw new Refusal(`Several nodes are called ${text}: ${named.map(({ nodeId }) => nodeId).join(', ')}`)
  return only
}
