/** What may be asked of rooms, in whatever group they are. */

import { type CallGroups, groupNamed } from '../platform/call-groups.ts'
import type { SeenRoom } from '../protocol/occupancy.ts'
import type { ConnectionStatus } from '../protocol/signaling.ts'
import type { RoomDirectory } from './room-view.ts'

export class GroupRooms {
  readonly #groups: CallGroups
  readonly #byName: Map<string, RoomDirectory>

  /** `open` makes the directory of a group. */
  constructor(groups: CallGroups, open: (name: string) => RoomDirectory) {
    this.#groups = groups
    this.#byName = new Map(groups.all.map(({ name }) => [name, open(name)]))
  }

  /** Who is in the rooms of these calls of one group, named as in its row. Rejects while its Redis is away. */
  look(callIds: string[], group: string | null): Promise<Map<string, SeenRoom>> {
    return this.of(group).look(callIds)
  }

  /** The connection status of each role; a role that never joined is absent. */
  connectionStatuses(
    callId: string,
    group: string | null,
  ): Promise<{ caller?: ConnectionStatus; callee?: ConnectionStatus }> {
    return this.of(group).connectionStatuses(callId)
  }

  /** Live gateway nodes in the group that has fewest: a group without one serves none of its calls. */
  async liveNodes(): Promise<number> {
    const counts = await Promise.all([...this.#byName.values()].map((rooms) => rooms.liveNodes()))
    return Math.min(...counts)
  }

  of(group: string | null): RoomDirectory {
    const { name } = groupNamed(this.#groups, group)
    const rooms = this.#byName.get(name)
    if (rooms === undefined) throw new Error(`There are no rooms of the group ${name}`)
    return rooms
  }
}
