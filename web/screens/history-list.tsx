/** Calls that are over, the newest first, as far back as one likes to read. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { useDesk } from '../desk.tsx'
import { Choice } from '../parts/choice.tsx'
import { HistoryRow } from '../parts/history-row.tsx'
import type { HistoryEntry, HistoryFilter } from '../service.ts'
import { useStore } from '../store.ts'
import { dayOf } from '../time.ts'

const TYPES = [
  { value: undefined, label: 'All' },
  { value: 'voice', label: 'Voice' },
  { value: 'video', label: 'Video' },
] as const

const RESULTS = [
  { value: undefined, label: 'All' },
  { value: 'completed', label: 'Completed' },
  { value: 'missed', label: 'Missed' },
  { value: 'failed', label: 'Failed' },
] as const

interface Loaded {
  entries: HistoryEntry[]
  total: number
  next: string | undefined
}

export function HistoryList() {
  const [filter, setFilter] = useState<HistoryFilter>({ type: undefined, status: undefined })
  const { loaded, fault, isLoading, loadMore, again } = useHistory(filter)
  return (
    <section class="history" aria-labelledby="history-title">
      <h2 id="history-title" class="visually-hidden">
        Call history
      </h2>
      <div class="filters">
        <Choice legend="Type" options={TYPES} value={filter.type} choose={(type) => setFilter({ ...filter, type })} />
        <Choice
          legend="Result"
          options={RESULTS}
          value={filter.status}
          choose={(status) => setFilter({ ...filter, status })}
        />
      </div>
      <p class="history-count muted" role="status">
        {loaded === undefined ? '' : loaded.total === 1 ? '1 call' : `${loaded.total} calls`}
      </p>
      {fault ? (
        <div class="empty-note" role="alert">
          <p>The history cannot be loaded.</p>
          <button type="button" class="button" onClick={again}>
            Try again
          </button>
        </div>
      ) : null}
      {loaded?.total === 0 && !fault ? <p class="empty-note">No calls here yet.</p> : null}
      {byDay(loaded?.entries ?? []).map(({ day, entries }) => (
        <section key={day} class="group" aria-label={day}>
          <h3>{day}</h3>
          <ul class="rows">
            {entries.map((entry) => (
              <HistoryRow key={entry.call_id} entry={entry} />
            ))}
          </ul>
        </section>
      ))}
      {loaded?.next === undefined ? null : (
        <button type="button" class="button wide" disabled={isLoading} onClick={loadMore}>
          {isLoading ? 'Loading…' : 'Show earlier calls'}
        </button>
      )}
    </section>
  )
}

/** The pages that were read so far. Read anew when the filter changes, or a call is over. */
function useHistory(filter: HistoryFilter) {
  const { service, session, callsOver } = useDesk()
  const over = useStore(callsOver)
  const [loaded, setLoaded] = useState<Loaded>()
  const [fault, setFault] = useState(false)
  const [isLoading, setLoading] = useState(false)
  const [attempt, setAttempt] = useState(0)
  /** Answers to questions that are no longer asked are left aside. */
  const asked = useRef(0)

  async function load(before: Loaded | undefined): Promise<void> {
    asked.current += 1
    const own = asked.current
    setLoading(true)
    setFault(false)
    try {
      const { calls, pagination } = await service.history(session.userId, filter, before?.next)
      if (own !== asked.current) return
      const entries = [...(before?.entries ?? []), ...calls]
      setLoaded({ entries, total: pagination.total, next: pagination.next_cursor })
    } catch {
      if (own === asked.current) setFault(true)
    }
    if (own === asked.current) setLoading(false)
  }

  useEffect(() => void load(undefined), [filter, over, attempt])
  return {
    loaded,
    fault,
    isLoading,
    loadMore: () => void load(loaded),
    again: () => setAttempt(attempt + 1),
  }
}

/** Neighbours of one day together. */
function byDay(entries: HistoryEntry[]): { day: string; entries: HistoryEntry[] }[] {
  const days: { day: string; entries: HistoryEntry[] }[] = []
  const now = new Date()
  for (const entry of entries) {
    const day = dayOf(new Date(entry.started_at), now)
    const last = days.at(-1)
    if (last?.day === day) last.entries.push(entry)
    else days.push({ day, entries: [entry] })
  }
  return days
}
