/** How a row of `calls` becomes a {@link Call}; also a row that went through jsonb, whose times are ISO 8601 text. */
import type { CallStatus, CallType, EndReason } from '../protocol/signaling.ts'
import type { Call } from './call.ts'

type Time = Date | string

/** Absent in a row that an older version has put into the outbox. */
type LaterColumn = Time | null | undefined

export interface CallRow {
  id: string
  status: CallStatus
  call_type: CallType
  /** Absent in a row that an older version has put into the outbox. */
  call_group?: string | null
  caller_id: string
  callee_id: string
  created_at: Time
  ring_expires_at: Time
  answered_at: Time | null
  answered_by_device: string | null
  ended_at: Time | null
  end_reason: EndReason | null
  version: number
  first_joined_at: Time | null
  /** Absent in a row that an older version has put into the outbox. */
  joined_sides?: number
  peers_gone_since: Time | null
  /** A bigint of Postgres; absent in a row that an older version has put into the outbox. */
  occupancy_version?: string | number
  ringing_at: LaterColumn
  unreachable_at: LaterColumn
}

export function callFromRow(row: CallRow): Call {
  return {
    id: row.id,
    status: row.status,
    type: row.call_type,
    group: row.call_group ?? null,
    callerId: row.caller_id,
    calleeId: row.callee_id,
    createdAt: new Date(row.created_at),
    ringExpiresAt: new Date(row.ring_expires_at),
    answeredAt: dateOrNull(row.answered_at),
    answeredByDevice: row.answered_by_device,
    endedAt: dateOrNull(row.ended_at),
    endReason: row.end_reason,
    version: row.version,
    firstJoinedAt: dateOrNull(row.first_joined_at),
    joinedSides: row.joined_sides ?? 0,
    peersGoneSince: dateOrNull(row.peers_gone_since),
    occupancyVersion: Number(row.occupancy_version ?? 0),
    ringingAt: dateOrNull(row.ringing_at),
    unreachableAt: dateOrNull(row.unreachable_at),
  }
}

function dateOrNull(time: LaterColumn): Date | null {
  return time === null || time === undefined ? null : new Date(time)
}
