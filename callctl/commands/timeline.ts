/** `callctl timeline` */
import { presentTimeline } from '../../core/calls/call-story.ts'
import { readTimeline } from '../../core/calls/call-timeline.ts'
import type { CallTimelineResponse, TimelineEntry } from '../../core/protocol/http.ts'
import { onlyPositional, readUuid } from '../arguments.ts'
import type { Command } from '../command.ts'
import { printable } from '../table.ts'
import { connectionsOfCall, connectionTable, presentConnection, type SeenConnection } from './connections.ts'

export const timeline: Command = {
  name: 'timeline',
  usage: 'timeline <call>',
  summary: 'what happened in a call, in order',
  help:
    'Changes of the call and when they were told, who joined, was lost and came back, offers, answers, reports, webhooks.\n' +
    'For a live call also who is connected now. Needs Postgres; Redis for the latter alone.',
  options: {},
  async run(input, stores) {
    const callId = readUuid(onlyPositional(input, 'call'), 'The call')
    const told = await readTimeline(stores.db, callId)
    const story = presentTimeline(told)
    if (told.call.endedAt !== null) return { json: { ...story, connections: null }, text: textOf(story) }
    if ((await stores.groupOrNone(told.call.group)) === undefined) {
      const text = `${textOf(story)}\n\nRedis is away: who is connected now is not known.`
      return { json: { ...story, connections: null }, text }
    }
    const connected = await connectionsOfCall(stores, told.call)
    const text = `${textOf(story)}\n\n${nowOf(connected)}`
    return { json: { ...story, connections: connected.map(presentConnection) }, text }
  },
}

function nowOf(connected: SeenConnection[]): string {
  return connected.length === 0 ? 'now: nobody is connected' : `now:\n${connectionTable(connected)}`
}

function textOf(story: CallTimelineResponse): string {
  const ending = story.end_reason === undefined ? '' : ` (${story.end_reason})`
  const whoWidth = Math.max(...story.entries.map((entry) => whoOf(entry).length))
  const times = story.entries.map(({ offset_ms }) => `${offset_ms < 0 ? '' : '+'}${(offset_ms / 1000).toFixed(3)} s`)
  const timeWidth = Math.max(...times.map((time) => time.length))
  return [
    `call    ${story.call_id}  ${story.call_type}, ${story.status}${ending}, talked ${story.duration} s`,
    `caller  ${story.caller_id}`,
    `callee  ${story.callee_id}`,
    `created ${story.created_at}`,
    '',
    ...story.entries.map(
      (entry, at) => `${(times[at] ?? '').padStart(timeWidth)}  ${whoOf(entry).padEnd(whoWidth)}  ${wordsOf(entry)}`,
    ),
  ].join('\n')
}

function whoOf({ source, role }: TimelineEntry): string {
  return role ?? source
}

function wordsOf({ event, text }: TimelineEntry): string {
  return printable(event === 'created' ? `makes ${text}` : text)
}
