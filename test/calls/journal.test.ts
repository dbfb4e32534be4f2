import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { Registry } from 'prom-client'
import { CallJournal, readJournal } from '../../core/calls/call-journal.ts'
import type { Database } from '../../core/platform/postgres.ts'
import { eventually } from '../support/eventually.ts'
import { patient } from '../support/patience.ts'
import { Bench, silent } from './bench.ts'

const WEEK_MS = 604_800_000

describe('the journal of calls', function () {
  this.timeout(40_000)
  let bench: Bench
  let db: Database
  let registry: Registry
  before(async () => {
    bench = await Bench.start()
    db = bench.database()
  })
  beforeEach(() => {
    registry = new Registry()
  })
  after(() => bench.stop())

  const open = () => new CallJournal({ db, retentionMs: WEEK_MS, log: silent, registry })
  const dropped = async (reason: string) => {
    const metric = await registry.getSingleMetric('call_journal_dropped_total')?.get()
    return metric?.values.find(({ labels }) => labels.reason === reason)?.value ?? 0
  }

  it('keeps notes in order, at the time of Postgres when they were made', async () => {
    const journal = open()
    const callId = randomUUID()
    const { rows } = await db.raw<{ rows: { now: Date }[] }>('SELECT clock_timestamp() AS now')
    const kinds = ['joined', 'offer', 'left'] as const
    for (const kind of kinds) journal.note({ callId, kind, role: 'caller', node: 'gateway-1.a', transport: 'raw' })
    await journal.close()

    const kept = await readJournal(db, callId)
    expect(kept.map(({ kind }) => kind)).to.deep.equal(kinds)
    expect(kept[0]).to.include({ role: 'caller', node: 'gateway-1.a', transport: 'raw', device: undefined })
    // They wait for company before they are written; their times do not.
    for (const { at } of kept) expect(at.getTime() - (rows[0]?.now.getTime() ?? 0)).to.be.within(-100, patient(2000))
  })

  it('takes out of a name what Postgres does not store and a terminal obeys', async () => {
    const journal = open()
    const callId = randomUUID()
    journal.note({ callId, kind: 'joined', device: 'a\u0000b\u001b[2J' })
    await journal.close()

    expect((await readJournal(db, callId))[0]?.device).to.equal('a\u{fffd}b\u{fffd}[2J')
  })

  it('waits for Postgres within bounds, and loses what is beyond them only', async () => {
    const journal = open()
    await bench.postgres.pause()
    const callIds = Array.from({ length: 20_010 }, () => randomUUID())
    for (const callId of callIds) journal.note({ callId, kind: 'joined' })
    expect(await dropped('full')).to.equal(10)
    await bench.postgres.resume()

    await eventually(async () => {
      const { rows } = await db.raw<{ rows: { count: number }[] }>(
        'SELECT count(*)::int AS count FROM call_journal WHERE call_id = ANY (?)',
        [callIds],
      )
      expect(rows[0]?.count).to.equal(20_000)
    }, 20_000)
  })

  it('is not held up by a note that Postgres refuses', async () => {
    const journal = open()
    const callId = randomUUID()
    journal.note({ callId: 'no uuid', kind: 'joined' })
    await eventually(async () => expect(await dropped('unwritten')).to.equal(1))
    journal.note({ callId, kind: 'joined' })
    await journal.close()

    expect(await readJournal(db, callId)).to.have.length(1)
  })

  it('keeps 100 notes a minute of a call, and forgets those older than the retention, some at a time', async () => {
    const journal = open()
    const callId = randomUUID()
    for (let turn = 0; turn < 150; turn++) journal.note({ callId, kind: 'joined' })
    await journal.close()
    expect(await dropped('rate')).to.equal(50)
    expect(await readJournal(db, callId)).to.have.length(100)
    expect(await journal.purge(1000)).to.equal(0)
    await db.raw(`UPDATE call_journal SET at = at - interval '8 days'`)

    expect(await journal.purge(30)).to.equal(30)
    while ((await journal.purge(10_000)) > 0);
    expect(await readJournal(db, callId)).to.have.length(0)
  })
})
