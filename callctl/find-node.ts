/** Finds the node that an operator means. */
import type { NodeDirectory, NodeRow } from '../core/rooms/node-directory.ts'
import { Refusal } from './command.ts'

/**
 * By its id, or by the name before the dot where one live node has it.
 * @throws Refusal where there is none, or several
 */
export async function findNode(directory: NodeDirectory, text: string): Promise<NodeRow> {
  const rows = await directory.list()
  const exact = rows.find(({ nodeId }) => nodeId === text)
  if (exact !== undefined) return exact
  const named = rows.filter(({ nodeId, isLive }) => isLive && nodeId.slice(0, nodeId.lastIndexOf('.')) === text)
  const [only, another] = named
  if (only === undefined) throw new Refusal(`There is no node ${text}; "callctl nodes" lists them`)
  if (another !== undefined)
    throw new Refusal(`Several nodes are called ${text}: ${named.map(({ nodeId }) => nodeId).join(', ')}`)
  return only
}
