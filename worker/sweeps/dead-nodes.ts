/** Buries the gateway nodes that have stopped beating, tells the calls that are left, and writes when users were there. */
import type { CallService } from '../../core/calls/call-service.ts'
import type { Logger } from '../../core/platform/logger.ts'
import type { ConnectionDirectory } from '../../core/presence/connection-directory.ts'
import type { SeenUser } from '../../core/presence/seen-users.ts'
import type { NodeDirectory, NodeRow } from '../../core/rooms/node-directory.ts'
import type { RoomKeeper } from '../../core/rooms/room-keeper.ts'
import type { Contact } from '../contact.ts'
import type { Sweep } from '../sweeper.ts'

interface DeadNodesDeps {
  rooms: Pick<RoomKeeper, 'buryDead'>
  nodes: Pick<NodeDirectory, 'list'>
  connections: Pick<ConnectionDirectory, 'ofNode'>
  calls: Pick<CallService, 'noteOccupancy'>
  writeSeen(seen: SeenUser[]): Promise<void>
  contact: Contact
  log: Pick<Logger, 'warn'>
}

export function deadNodes(deps: DeadNodesDeps, everyMs: number): Sweep {
  return {
    name: 'dead-nodes',
    everyMs,
    async run() {
      if (!deps.contact.isUnbroken) return
      // A funeral takes the node's last beat away.
      const dead = (await deps.nodes.list()).filter(({ isLive }) => !isLive)
      const left = await deps.rooms.buryDead()
      // Calls that cannot be told now, as Postgres has just gone, are found by the next roll call.
      const facts = left.map(({ callId, occupancy }) => ({ callId, isOccupied: false, version: occupancy, joined: 0 }))
      if (facts.length > 0) await deps.calls.noteOccupancy(facts)
      for (const node of dead) await writeLastBeat(deps, node)
    },
  }
}

/**
 * The users of a node that died were there until its last beat. Their connections stay in Redis until they come back,
 * so this may come after the funeral, which peers wait for. A worker that dies before it has written leaves `last_seen`
 * as the node wrote it, up to 30 s earlier.
 */
async function writeLastBeat({ connections, writeSeen, log }: DeadNodesDeps, node: NodeRow): Promise<void> {
  const listedAt = performance.now()
  try {
    const users = new Set((await connections.ofNode(node.nodeId)).map(({ userId }) => userId))
    const ageMs = node.beatAgeMs + performance.now() - listedAt
    await writeSeen([...users].map((userId) => ({ userId, ageMs })))
  } catch (error) {
    log.warn({ err: (error as Error).message, nodeId: node.nodeId }, 'last seen of a dead node not written')
  }
}
