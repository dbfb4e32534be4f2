/** Buries the gateway nodes that have stopped beating, and tells the calls that are left without a peer. */
import type { CallService } from '../../core/calls/call-service.ts'
import type { RoomKeeper } from '../../core/rooms/room-keeper.ts'
import type { Contact } from '../contact.ts'
import type { Sweep } from '../sweeper.ts'

export function deadNodes(
  rooms: Pick<RoomKeeper, 'buryDead'>,
  calls: Pick<CallService, 'noteOccupancy'>,
  contact: Contact,
  everyMs: number,
): Sweep {
  return {
    name: 'dead-nodes',
    everyMs,
    async run() {
      if (!contact.isUnbroken) return
      const left = await rooms.buryDead()
      // Calls that cannot be told now, as Postgres has just gone, are found by the next roll call.
      const facts = left.map(({ callId, occupancy }) => ({ callId, isOccupied: false, version: occupancy }))
      if (facts.length > 0) await calls.noteOccupancy(facts)
    },
  }
}
