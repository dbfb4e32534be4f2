/** The ledger's table for people, and what makes a run good. */
import type { Verdict } from './ledger.ts'
import type { Spread, Trips } from './trips.ts'

/** What is wrong with a run, one sentence each; nothing when all is well. */
export function faultsOf(verdict: Verdict): string[] {
  const wrong = (['lost', 'unsettled', 'doubled', 'reordered', 'strangers'] as const)
    .filter((what) => verdict[what] > 0)
    .map((what) => `${verdict[what]} ${what}`)
  if (verdict.delivered + verdict.lost < verdict.sent && verdict.unsettled === 0)
    wrong.push('not everything was delivered')
  return wrong
}

export function formatVerdict(verdict: Verdict, more: Record<string, string | number> = {}): string {
  const { reconnects } = verdict
  const rows: [string, string | number][] = [
    ['calls', verdict.calls],
    ...Object.entries(more),
    ['sent', verdict.sent],
    ['acked', verdict.acked],
    ['delivered', verdict.delivered],
    ['lost (acked, never delivered)', verdict.lost],
    ['unsettled (sent again, never acked)', verdict.unsettled],
    ['doubled', verdict.doubled],
    ['reordered', verdict.reordered],
    ['delivered to strangers', verdict.strangers],
    ['recovered: false', verdict.gapsTold],
    ['  doubled after it', verdict.doubledAfterGap],
    ['delivered before they were kept', verdict.direct],
    ['  and again after it', verdict.doubledAfterDirect],
    ['refused, sent again', verdict.refused],
    ['  late after it', verdict.lateAfterRefusal],
    ['user-left', verdict.userLeft],
    ['other errors', JSON.stringify(verdict.errors)],
    ['back after a cut connection', formatSpread(reconnects.cut)],
    ['back after giving up a silent one', formatSpread(reconnects['gave up'])],
    ...Object.entries(verdict.endings)
      .sort(([, x], [, y]) => y - x)
      .map(([why, count]): [string, number] => [`  ${why}`, count]),
  ]
  return rows.map(([name, value]) => `  ${name.padEnd(44)} ${value}`).join('\n')
}

function formatSpread({ count, p50, p99, max }: Spread): string {
  return count === 0 ? '-' : `${count} times, p50 ${p50} ms, p99 ${p99} ms, max ${max} ms`
}

/** Where the time of the ways back after a cut connection went: all of them, and the slowest twentieth. */
export function formatTrips(trips: Trips): string {
  const rows = ([1, 0.05] as const).map((part) => {
    const { failures, ...stages } = trips.stages('cut', part)
    const times = Object.entries(stages).map(([stage, ms]) => `${stage} ${ms} ms`)
    const why = Object.entries(failures).map(([reason, count]) => `${count} × ${reason}`)
    const name = part === 1 ? 'the way back, on average' : '  of the slowest 5 %'
    return `  ${name.padEnd(44)} ${times.join(', ')}${why.length > 0 ? `; failed: ${why.join(', ')}` : ''}`
  })
  return rows.join('\n')
}
