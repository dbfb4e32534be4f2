/**
 * Whether anybody is connected to a call's room. Several processes write it down, in whatever order they get to it, so
 * each fact has the version that the room gave it: a newer one is never overwritten by an older.
 */
export interface Occupancy {
  callId: string
  isOccupied: boolean
  /** Rises with every change of the room between somebody and nobody; facts of one version say the same. */
  version: number
}
