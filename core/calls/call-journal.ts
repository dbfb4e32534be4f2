/**
 * What the processes saw of a call beside its state: who joined, was lost, came back, offered, reported or ended it. It
 * explains a call afterwards and decides nothing, so it is written behind everything else, in batches, and may have holes:
 * what a process has not written yet goes with it, and who provokes notes without end is not written down any more.
 */
import { Counter, type Registry } from 'prom-client'
import type { Logger } from '../platform/logger.ts'
import { type Database, isDatabaseAway } from '../platform/postgres.ts'
import { PostgresClock } from '../platform/postgres-clock.ts'
import type { ParticipantRole } from '../protocol/signaling.ts'

export type JournalKind =
  | 'joined'
  | 'resumed'
  | 'left'
  | 'lost'
  | 'offer'
  | 'answer'
  | 'reported'
  | 'end_requested'
  | 'operator'

export interface JournalNote {
  callId: string
  kind: JournalKind
  /** Absent where neither participant did it. */
  role?: ParticipantRole
  node?: string
  transport?: string
  device?: string
  /** A word or a sentence that goes with the kind; never what a client wrote into a message. */
  detail?: string
  /** ICE candidates that the connection had sent when it ended. */
  candidates?: number
}

export interface JournalEntry extends JournalNote {
  at: Date
}

/** Notes are written together: one insert for many calls. */
const WRITE_AFTER_MS = 250
const AGAIN_AFTER_MS = 1000
/** A busy node's notes of a minute or so, a few megabytes; more would be an outage of Postgres. */
const WAITING_MAX = 20_000
const BATCH = 1000
/** A call of ten reconnects stays well below; who joins and leaves in a loop does not fill a table. */
const NOTES_PER_CALL = 100
const NOTES_PERIOD_MS = 60_000

interface Waiting extends JournalNote {
  noticedAtMs: number
}

interface Dependencies {
  db: Database
  retentionMs: number
  log: Logger
  registry: Registry
}

export class CallJournal {
  readonly #db: Database
  readonly #clock: PostgresClock
  readonly #retentionMs: number
  readonly #log: Logger
  readonly #dropped: Counter<'reason'>
  readonly #counts = new Map<string, { since: number; count: number }>()
  #waiting: Waiting[] = []
  #writing: Promise<void> | undefined
  #closing = false
  #hurry: (() => void) | undefined

  constructor({ db, retentionMs, log, registry }: Dependencies) {
    this.#db = db
    this.#clock = new PostgresClock(db)
    this.#retentionMs = retentionMs
    this.#log = log
    this.#dropped = new Counter({
      name: 'call_journal_dropped_total',
      help: 'Notes about calls that were not kept.',
      labelNames: ['reason'],
      registers: [registry],
    })
  }

  /** Notes what happened just now. Returns at once and never throws. */
  note(note: JournalNote): void {
    const now = performance.now()
    if (!this.#mayNote(note.callId, now)) return this.#dropped.inc({ reason: 'rate' })
    if (this.#waiting.length >= WAITING_MAX) return this.#dropped.inc({ reason: 'full' })
    this.#waiting.push({ ...note, noticedAtMs: now })
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
    })
  }

  /** Writes what waits, with one attempt more at most: a process that ends does not wait for Postgres. */
  async close(): Promise<void> {
    this.#closing = true
    this.#hurry?.()
    await this.#writing
  }

  /** Removes up to `limit` of the oldest notes that are older than the retention; returns how many. */
  async purge(limit: number): Promise<number> {
    const { rows } = await this.#db.raw<{ rows: unknown[] }>(
      `DELETE FROM call_journal WHERE id IN (
         SELECT id FROM (SELECT id, at FROM call_journal ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED) AS oldest
         WHERE at <= clock_timestamp() - CAST(:retentionMs AS double precision) * interval '1 millisecond')
       RETURNING 1`,
      { retentionMs: this.#retentionMs, limit },
    )
    return rows.length
  }

  #mayNote(callId: string, now: number): boolean {
    const known = this.#counts.get(callId)
    if (known !== undefined && now - known.since < NOTES_PERIOD_MS) return ++known.count <= NOTES_PER_CALL
    this.#counts.delete(callId)
    this.#counts.set(callId, { since: now, count: 1 })
    // In the order of their beginnings: those in front are over first.
    for (const [id, { since }] of this.#counts) {
      if (now - since < NOTES_PERIOD_MS) break
      this.#counts.delete(id)
    }
    return true
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      if (this.#waiting.length < BATCH) await this.#pause(WRITE_AFTER_MS)
      const batch = this.#waiting.slice(0, BATCH)
      try {
        await this.#insert(batch)
      } catch (error) {
        this.#log.debug({ notes: batch.length, err: (error as Error).message }, 'journal not written')
        if (isDatabaseAway(error) && !this.#closing) {
          await this.#pause(AGAIN_AFTER_MS)
          continue
        }
        this.#dropped.inc({ reason: 'unwritten' }, batch.length)
      }
      this.#waiting.splice(0, batch.length)
    }
  }

  async #insert(batch: Waiting[]): Promise<void> {
    await this.#clock.compare()
    const column = (read: (note: Waiting) => string | number | undefined) => batch.map((note) => read(note) ?? null)
    await this.#db.raw(
      `INSERT INTO call_journal (call_id, at, kind, role, node, transport, device, detail, candidates)
       SELECT call_id, at, kind, role, node, transport, device, detail, candidates
       FROM unnest(CAST(:calls AS uuid[]), CAST(:times AS timestamptz[]), CAST(:kinds AS text[]),
         CAST(:roles AS text[]), CAST(:nodes AS text[]), CAST(:transports AS text[]), CAST(:devices AS text[]),
         CAST(:details AS text[]), CAST(:candidates AS integer[]))
       WITH ORDINALITY
         AS note (call_id, at, kind, role, node, transport, device, detail, candidates, place)
       ORDER BY place`,
      {
        calls: column((note) => note.callId),
        times: column((note) => this.#clock.at(note.noticedAtMs).toISOString()),
        kinds: column((note) => note.kind),
        roles: column((note) => note.role),
        nodes: column((note) => note.node),
        transports: column((note) => note.transport),
        devices: column((note) => plain(note.device)),
        details: column((note) => plain(note.detail)),
        candidates: column((note) => note.candidates),
      },
    )
  }

  async #pause(ms: number): Promise<void> {
    if (this.#closing) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#hurry = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#hurry = undefined
  }
}

/** A handshake may name a device with characters that Postgres does not store, or a terminal obeys. */
function plain(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : text.replace(/\p{Cc}/gu, '\u{fffd}')
}

/** Everything that is kept of a call, in the order in which it happened. */
export async function readJournal(db: Database, callId: string): Promise<JournalEntry[]> {
  const { rows } = await db.raw<{ rows: JournalRow[] }>(
    'SELECT * FROM call_journal WHERE call_id = :callId ORDER BY at, id',
    { callId },
  )
  return rows.map((row) => ({
    callId: row.call_id,
    at: row.at,
    kind: row.kind,
    role: row.role ?? undefined,
    node: row.node ?? undefined,
    transport: row.transport ?? undefined,
    device: row.device ?? undefined,
    detail: row.detail ?? undefined,
    candidates: row.candidates ?? undefined,
  }))
}

interface JournalRow {
  call_id: string
  at: Date
  kind: JournalKind
  role: ParticipantRole | null
  node: string | null
  transport: string | null
  device: string | null
  detail: string | null
  candidates: number | null
}
