/** Announces the users who have not come back within their reconnect grace. Needs Redis alone. */
import type { RoomKeeper } from '../../core/rooms/room-keeper.ts'
import type { Sweep } from '../sweeper.ts'

export function reconnectGraces(rooms: Pick<RoomKeeper, 'endGraces'>, everyMs: number): Sweep {
  return {
    name: 'reconnect-graces',
    everyMs,
    async run() {
      await rooms.endGraces()
    },
  }
}
