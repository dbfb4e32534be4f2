/** One call of the history: who, which way, what came of it, and the way to call again. */
import { useDesk } from '../desk.tsx'
import type { HistoryEntry } from '../service.ts'
import { useStore } from '../store.ts'
import { duration, timeOfDay } from '../time.ts'
import { historyWord } from '../words.ts'
import { Avatar } from './avatar.tsx'
import { Icon } from './icons.tsx'

export function HistoryRow({ entry }: { entry: HistoryEntry }) {
  const { session, people, phone } = useDesk()
  const { call } = useStore(phone.state)
  const outgoing = entry.initiated_by === session.userId
  const peerId = entry.participants.find((id) => id !== session.userId) ?? entry.initiated_by
  const name = people.nameOf(peerId)
  const isVideo = entry.type === 'video'
  const word = historyWord(entry, outgoing)
  const isMissed = word === 'Missed'
  const startedAt = new Date(entry.started_at)
  return (
    <li class="row" data-call={entry.call_id}>
      <Avatar id={peerId} name={name} />
      <div class="row-text">
        <span class="row-name">{name}</span>
        <span class={isMissed ? 'row-line missed' : 'row-line muted'}>
          <Icon name={outgoing ? 'outgoing' : 'incoming'} />
          <span>
            <span class="visually-hidden">{`${outgoing ? 'Outgoing' : 'Incoming'} ${entry.type} call, `}</span>
            {word}
            {entry.status === 'completed' ? ` · ${duration(entry.duration)}` : ''}
          </span>
        </span>
      </div>
      <time class="muted" dateTime={entry.started_at}>
        {timeOfDay(startedAt)}
      </time>
      <button
        type="button"
        class="icon-button"
        aria-label={`Call ${name} again by ${entry.type}`}
        title={isVideo ? 'Video call' : 'Voice call'}
        disabled={call !== undefined}
        onClick={() => phone.dial(peerId, isVideo)}
      >
        <Icon name={isVideo ? 'camera' : 'call'} />
      </button>
    </li>
  )
}
