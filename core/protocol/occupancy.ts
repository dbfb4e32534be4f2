/**
 * Whether anybody is connected to a call's room, and which of the two have ever joined it. Several processes write it
 * down, in whatever order they get to it, so each fact has the version that the room gave it: a newer one is never
 * overwritten by an older. Who has joined once stays joined.
 */
export interface Occupancy {
  callId: string
  isOccupied: boolean
  /** Rises with every change of the room between somebody and nobody; facts of one version say the same of it. */
  version: number
  /** Those who are known to have joined; the others may have, too. */
  joined: JoinedSides
}

/** The sides that have joined a room, as bits: 1 the caller, 2 the callee. */
export type JoinedSides = number

/** By the side of a room: `a` is the caller's, `b` the callee's. */
export const SIDE_JOINED = { a: 1, b: 2 } as const
export const BOTH_JOINED: JoinedSides = SIDE_JOINED.a | SIDE_JOINED.b

/** What a look into a room tells. */
export type SeenRoom = Pick<Occupancy, 'isOccupied' | 'joined'>
