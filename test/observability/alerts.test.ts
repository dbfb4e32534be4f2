/** The rules of observability/prometheus: they are read, each alert fires and clears, and each has its page in the runbook. */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { parse } from 'yaml'
import { findTool, PROMTOOL } from '../../dev/cluster/tools.ts'

const run = promisify(execFile)
const root = dirname(dirname(import.meta.dirname))
const folder = join(root, 'observability', 'prometheus')
const filesIn = (name: string) => readdirSync(join(folder, name)).map((file) => join(folder, name, file))

interface Rule {
  alert?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
}

interface RuleTest {
  name: string
  promql_expr_test: { expr: string; eval_time: string; exp_samples: { value: number }[] }[]
}

const alerts = filesIn('rules')
  .flatMap((file) => (parse(readFileSync(file, 'utf8')) as { groups: { rules: Rule[] }[] }).groups)
  .flatMap(({ rules }) => rules)
  .filter((rule): rule is Rule & { alert: string } => rule.alert !== undefined)

const tests = filesIn('tests').flatMap((file) => (parse(readFileSync(file, 'utf8')) as { tests: RuleTest[] }).tests)

/** What the runbook says of alerts: the text under each heading of the third level. */
const [, ...pages] = readFileSync(join(root, 'docs/runbook.md'), 'utf8').split(/^### /m)
const runbook = new Map(pages.map((page) => [page.slice(0, page.indexOf('\n')), page]))

/** Minutes, seconds and hours of `1h20m`. */
function secondsOf(duration: string): number {
  const units: Record<string, number> = { h: 3600, m: 60, s: 1 }
  return [...duration.matchAll(/(\d+)([hms])/g)].reduce(
    (sum, [, n, unit = '']) => sum + Number(n) * (units[unit] ?? 0),
    0,
  )
}

async function promtool(...args: string[]): Promise<void> {
  const { path, env } = await findTool(PROMTOOL)
  await run(path, args, { env: { ...process.env, ...env }, cwd: folder }).catch(
    (error: { stdout: string; stderr: string }) => {
      throw new Error(`promtool ${args.join(' ')}\n${error.stdout}${error.stderr}`)
    },
  )
}

describe('The alerts', () => {
  it('are rules that Prometheus takes, and so is its configuration', async () => {
    await promtool('check', 'config', 'prometheus.yml')
    await promtool('check', 'rules', ...filesIn('rules'))
  })

  it('fire and clear as their tests say', async function () {
    this.timeout(120_000)

    await Promise.all(filesIn('tests').map((file) => promtool('test', 'rules', file)))
  })

  it('have a test each that sees them quiet, then fired, then cleared', () => {
    for (const { alert, labels } of alerts) {
      const severity = labels?.severity ?? ''
      const own = tests.filter(({ name }) => name === alert || name === `${alert}, ${severity}`)
      expect(own, `${alert}, ${severity}`).to.have.lengthOf.at.least(1)
      for (const { promql_expr_test: steps } of own) {
        for (const { expr } of steps) expect(expr).to.include(`alertname="${alert}",alertstate="firing"`)
        const times = steps.map(({ eval_time }) => secondsOf(eval_time))
        expect(times, alert).to.deep.equal([...times].sort((a, b) => a - b))
        expect(
          steps.map(({ exp_samples }) => exp_samples.length),
          alert,
        ).to.deep.equal([0, 1, 0])
        expect(steps[1]?.exp_samples[0]?.value, alert).to.be.above(0)
      }
    }
  })

  it('say who is to be woken, what is the matter, and where to read on', () => {
    expect(alerts.length).to.be.above(30)
    for (const { alert, labels, annotations } of alerts) {
      expect(labels?.severity, alert).to.be.oneOf(['page', 'ticket'])
      expect(annotations?.summary, alert).to.match(/^.{20,}\.$/)
      expect(annotations?.runbook_url, alert).to.equal(`docs/runbook.md#${alert.toLowerCase()}`)
    }
  })

  it('have a section of the runbook each, which has no other', () => {
    expect([...runbook.keys()]).to.have.members([...new Set(alerts.map(({ alert }) => alert))])
    for (const [alert, page] of runbook)
      for (const part of ['**Meaning**', '**Impact**', '**Check**', '**Do**']) expect(page, alert).to.include(part)
  })
})
