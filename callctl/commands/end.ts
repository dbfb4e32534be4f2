/** `callctl end` */
import { durationSeconds } from '../../core/calls/call.ts'
import { onlyPositional, readOneOf, readText, readUuid } from '../arguments.ts'
import { type Command, UsageError } from '../command.ts'

const REASONS = ['timeout', 'user_hangup', 'connection_failed'] as const
/** As much as fits a line of a timeline, or the number of a ticket. */
const NOTE_MAX = 500

export const end: Command = {
  name: 'end',
  usage: 'end <call>',
  summary: 'end a live call, as a participant would',
  help:
    'By the same transition as DELETE /calls/{call_id}: both users, their history and the webhooks are told the same.\n' +
    'The default reason, timeout, blames nobody: no_answer before the answer, timeout after it. Needs Postgres; while\n' +
    'Redis is away the users are told when it is back.',
  options: {
    reason: { type: 'string', about: 'timeout (default), user_hangup or connection_failed' },
    as: { type: 'string', about: 'with user_hangup: caller (default) or callee' },
    note: { type: 'string', about: 'why, for the timeline of the call' },
  },
  async run(input, stores) {
    const callId = readUuid(onlyPositional(input, 'call'), 'The call')
    const reason = readOneOf(input, 'reason', REASONS) ?? 'timeout'
    const role = readOneOf(input, 'as', ['caller', 'callee'] as const)
    if (role !== undefined && reason !== 'user_hangup') throw new UsageError('--as goes with --reason user_hangup')
    const note = readText(input, 'note')
    if (note !== undefined && note.length > NOTE_MAX)
      throw new UsageError(`--note takes ${NOTE_MAX} characters at most`)
    const calls = stores.calls()
    const { group } = await calls.require(callId)
    const isTold = (await stores.groupOrNone(group)) !== undefined
    const call = await calls.endByOperator(callId, { reason, role: role ?? 'caller', note })
    const endedAt = call.endedAt ?? new Date()
    const talked = durationSeconds(call, endedAt)
    const later = isTold ? '' : '\nRedis is away: a worker tells the users when it is back.'
    return {
      json: {
        call_id: call.id,
        status: call.status,
        end_reason: call.endReason,
        ended_at: endedAt.toISOString(),
        duration: talked,
        told: isTold,
      },
      text: `${call.id} ${call.status} (${call.endReason}) after ${talked} s${later}`,
    }
  },
}
