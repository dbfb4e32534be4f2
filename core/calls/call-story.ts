/** Tells what happened in a call, in order and in words, from what is kept of it. Pure. */
import type { CallTimelineResponse, TimelineEntry } from '../protocol/http.ts'
import type { EndReason } from '../protocol/signaling.ts'
import type { CallDelivery } from '../webhooks/call-deliveries.ts'
import { type Call, durationSeconds } from './call.ts'
import type { JournalEntry } from './call-journal.ts'
import type { CallChangeEvent, CallTimeline } from './call-timeline.ts'

/** Late enough to be worth a word. */
const LATE_MS = 1000

const ENDINGS: Record<EndReason, string> = {
  canceled: 'the caller hung up before an answer',
  declined: 'the callee declined',
  busy: 'the callee was busy and called somebody else',
  no_answer: 'nobody answered in time',
  connection_failed: 'the connection failed',
  hangup: 'a participant hung up',
  timeout: 'ended as timed out',
  peers_lost: 'both sides were gone for too long',
  setup_timeout: 'answered, but not both joined in time',
}

type Told = Omit<TimelineEntry, 'at' | 'offset_ms'> & { when: Date }

/** What is kept of a call, as `GET /calls/{call_id}/timeline` and `callctl timeline` show it. */
export function presentTimeline(timeline: CallTimeline): CallTimelineResponse {
  const { call, readAt } = timeline
  return {
    call_id: call.id,
    caller_id: call.callerId,
    callee_id: call.calleeId,
    call_type: call.type,
    status: call.status,
    ...(call.endReason === null ? {} : { end_reason: call.endReason }),
    created_at: call.createdAt.toISOString(),
    ...(call.answeredAt === null ? {} : { answered_at: call.answeredAt.toISOString() }),
    ...(call.endedAt === null ? {} : { ended_at: call.endedAt.toISOString() }),
    duration: durationSeconds(call, readAt),
    entries: tellStory(timeline),
  }
}

/** The entries in the order of their times; `offset_ms` counts from the creation of the call. */
export function tellStory(timeline: CallTimeline): TimelineEntry[] {
  const told = [
    ...changesOf(timeline),
    ...timeline.journal.map(noteOf),
    ...timeline.deliveries.map((delivery) => deliveryOf(delivery)),
  ]
  const startMs = timeline.call.createdAt.getTime()
  return told
    .map((entry, place) => ({ entry, place }))
    .sort((one, other) => one.entry.when.getTime() - other.entry.when.getTime() || one.place - other.place)
    .map(({ entry: { when, ...rest } }) => ({ at: when.toISOString(), offset_ms: when.getTime() - startMs, ...rest }))
}

/** The changes of the call as its row has them, so that a call of long ago still has its story. */
function changesOf({ call, events }: CallTimeline): Told[] {
  const { createdAt, ringingAt, unreachableAt, answeredAt, endedAt, endReason } = call
  const rings = seconds(call.ringExpiresAt.getTime() - createdAt.getTime())
  const told: Told[] = [
    change('created', createdAt, `a ${call.type} call; it rings for ${rings} at most`, {
      role: 'caller',
      ...publication(events.find(({ kind }) => kind === 'call-ringing')),
    }),
  ]
  const first = (test: (call: Call) => boolean) => {
    const event = events.find(({ kind, call: after }) => kind === 'call-changed' && test(after))
    return publication(event)
  }
  if (ringingAt !== null)
    told.push(
      change('ringing', ringingAt, 'a device rings', { role: 'callee', ...first((after) => after.ringingAt !== null) }),
    )
  if (unreachableAt !== null)
    told.push(
      change('unreachable', unreachableAt, 'no device has confirmed to ring: the caller was told unreachable', {
        ...first((after) => after.unreachableAt !== null),
      }),
    )
  if (answeredAt !== null) {
    const device = call.answeredByDevice ?? undefined
    const text = device === undefined ? 'answered' : `answered on device ${device}`
    told.push(
      change('answered', answeredAt, text, {
        role: 'callee',
        ...(device === undefined ? {} : { device }),
        ...first((after) => after.answeredAt !== null),
      }),
    )
  }
  if (endedAt !== null && endReason !== null) told.push(ending(call, endedAt, endReason, events))
  return told
}

function ending(call: Call, endedAt: Date, reason: EndReason, events: CallChangeEvent[]): Told {
  const event = events.find(({ call: after }) => after.endedAt !== null)
  const lateMs = event === undefined ? 0 : event.writtenAt.getTime() - endedAt.getTime()
  const noticed = lateMs >= LATE_MS ? `, noticed ${seconds(lateMs)} later` : ''
  const talked = call.answeredAt === null ? '' : ` after ${durationSeconds(call, endedAt)} s`
  return change('ended', endedAt, `${call.status}${talked}: ${ENDINGS[reason]} (${reason})${noticed}`, {
    reason,
    ...publication(event),
  })
}

type Details = Pick<TimelineEntry, 'role' | 'device' | 'reason' | 'published_after_ms'>

function change(event: TimelineEntry['event'], when: Date, text: string, details: Details): Told {
  const waited = details.published_after_ms
  const suffix =
    waited === null
      ? '; the gateways were not told yet'
      : (waited ?? 0) >= LATE_MS
        ? `; told after ${seconds(waited ?? 0)}`
        : ''
  return { when, source: 'call', event, text: text + suffix, ...details }
}

/** How long the gateways were not told of a change; null while they are not. Nothing where the event is not kept. */
function publication(event: CallChangeEvent | undefined): Pick<TimelineEntry, 'published_after_ms'> {
  if (event === undefined) return {}
  const { publishedAt, writtenAt } = event
  return { published_after_ms: publishedAt === null ? null : Math.max(0, publishedAt.getTime() - writtenAt.getTime()) }
}

function noteOf(note: JournalEntry): Told {
  const { at, kind, role, node, transport, device, candidates, detail } = note
  return {
    when: at,
    source: kind === 'operator' ? 'operator' : kind === 'end_requested' ? 'call' : 'room',
    event: kind,
    text: textOf(note),
    ...(role === undefined ? {} : { role }),
    ...(node === undefined ? {} : { node }),
    ...(transport === undefined ? {} : { transport }),
    ...(device === undefined ? {} : { device }),
    ...(candidates === undefined ? {} : { candidates }),
    ...(detail === undefined ? {} : { detail }),
  }
}

function textOf({ kind, node, transport, device, detail, candidates }: JournalEntry): string {
  const where = `on ${node ?? 'a node'} over ${transport ?? 'a connection'}`
  const who = device === undefined ? where : `${where}, device ${device}`
  const sent = candidates === undefined ? '' : `, ${candidates} candidates sent`
  switch (kind) {
    case 'joined':
      return `joined ${who}`
    case 'resumed':
      return `came back ${who}; ${detail === 'recovered' ? 'nothing was missed' : 'something may have been missed'}`
    case 'left':
      return detail === undefined ? `left ${who}${sent}` : `left ${who}: ${detail}`
    case 'lost':
      return `connection lost ${who}${sent}`
    case 'offer':
      return 'sent an offer'
    case 'answer':
      return 'sent an answer'
    case 'reported':
      return `reports its peer connection ${detail ?? ''}`.trimEnd()
    case 'end_requested':
      return `asked to end the call: ${detail ?? ''}`.trimEnd()
    case 'operator':
      return `an operator ended the call${detail === undefined ? '' : `: ${detail}`}`
  }
}

function deliveryOf({ endpoint, type, state, attempts, createdAt, settledAt, ...last }: CallDelivery): Told {
  const { lastOutcome, lastStatus } = last
  const status = lastStatus === null ? '' : ` ${lastStatus}`
  const result = lastOutcome === null ? '' : `, last: ${lastOutcome}${status}`
  const texts = {
    delivered: `${type} to ${endpoint}: delivered at attempt ${attempts}${status === '' ? '' : `,${status}`}`,
    dead: `${type} to ${endpoint}: given up after ${attempts} attempts${result}`,
    pending: `${type} to ${endpoint}: not delivered yet, ${attempts} attempts${result}`,
  }
  return {
    when: settledAt ?? createdAt,
    source: 'webhook',
    event: `webhook_${state}`,
    text: texts[state],
    endpoint,
    webhook_type: type,
    attempts,
    ...(lastStatus === null ? {} : { last_status: lastStatus }),
    ...(lastOutcome === null ? {} : { last_outcome: lastOutcome }),
  }
}

function seconds(ms: number): string {
  return `${Number((ms / 1000).toFixed(1))} s`
}
