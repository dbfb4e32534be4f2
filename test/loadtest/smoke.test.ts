/** The load test's own test: small trials against real clusters, and the page that is made of them. No figure of time is judged here. */
import { expect } from 'chai'
import { drawLines } from '../../loadtest/report/line-chart.ts'
import { renderRun, renderTargets } from '../../loadtest/report/loadtest-page.ts'
import { type RunRecord, recordOf } from '../../loadtest/report/run-record.ts'
import { EXPIRY } from '../../loadtest/trials/expiry.ts'
import { HELD_CALLS } from '../../loadtest/trials/held-calls.ts'
import { HISTORY } from '../../loadtest/trials/history.ts'
import { type Outcome, runTrial, type Trial } from '../../loadtest/trials/trial.ts'

const MACHINE = { cpu: 'test', cores: 2, memoryGib: 1, kernel: '6', node: '20', redis: '7', commit: 'abc' }
const FACTS = { command: 'make loadtest', commit: 'abc', at: '2026-11-25T00:00:00.000Z', seconds: 1 }

const attempt = (trial: Trial) =>
  runTrial(trial, 'smoke', { say: () => {}, signal: new AbortController().signal }).catch((error: Error) => error)

/** What may not differ however slow the machine is: counts that must be nothing. */
function faultsOf(outcome: Outcome): string[] {
  return outcome.figures.flatMap(({ what, value, limit }) => (limit === 0 && value !== 0 ? [`${what}: ${value}`] : []))
}

describe('the load test', function () {
  this.timeout(90_000)

  for (const trial of [HELD_CALLS, HISTORY, EXPIRY])
    it(`runs the trial "${trial.title}" against a real cluster, with nothing lost or wrong`, async () => {
      const outcome = await attempt(trial)

      if (outcome instanceof Error) throw outcome
      expect(faultsOf(outcome)).to.deep.equal([])
      expect(outcome.figures.filter(({ limit }) => limit === 0)).not.to.be.empty
      for (const { what, value } of outcome.figures) expect(value, what).to.be.finite
    })

  it('shows a missed target, a trial that did not end, and the last run on its page', () => {
    const figures = [{ what: 'p99', value: 80, unit: ' ms', limit: 50 }]
    const run = (value: number): RunRecord => ({
      date: '2026-11-25',
      profile: 'full',
      machine: MACHINE,
      trials: [
        recordOf(HELD_CALLS, FACTS, { figures: figures.map((figure) => ({ ...figure, value })) }),
        recordOf(EXPIRY, FACTS, new Error('it took too long')),
      ],
    })
    const unmeasured = JSON.parse(JSON.stringify(run(Number.NaN))) as RunRecord

    const page = renderRun(run(80), [{ ...run(40), date: '2026-11-24' }])

    expect(page).to.include('| p99 | 80.0 ms | ≤ 50.0 ms | 40.0 ms |')
    expect(page).to.include('[2026-11-24](2026-11-24-loadtest-full.md)')
    expect(page).to.include('It did not end: it took too long')
    expect(renderTargets(run(80).trials))
      .to.include('**no**')
      .and.to.include('did not end')
    expect(renderTargets(run(40).trials)).to.include('| yes |')
    expect(renderTargets(unmeasured.trials)).to.match(/p99 \| – \| ≤ 50.0 ms \| \*\*no\*\*/)
  })

  it('draws a line through every point', () => {
    const points = [1, 2, 4].map((x) => ({ x, y: x * 10 }))
    const svg = drawLines({
      key: 'k',
      title: 't',
      xName: 'x',
      xMarks: [1, 2, 4],
      xScale: 'log2',
      lines: [{ name: 'a', points }],
    })

    expect(svg.match(/<circle/g)).to.have.length(3)
    expect(svg).to.include('a (40)').and.not.to.include('NaN')
  })
})
