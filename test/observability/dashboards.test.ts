/** The dashboards: made of their descriptions, of Grafana's shape, and with data wherever they ask a real Prometheus. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { type RunningPrometheus, startPrometheus } from '../../dev/cluster/prometheus.ts'
import { DASHBOARDS, dashboardFiles } from '../../observability/dashboards/all.ts'
import { privateCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'
import { Receiver } from '../webhooks/receiver.ts'
import { badTimes, goodTimes, HASTY } from './a-busy-minute.ts'
import { lastNumber, PrometheusClient } from './prometheus-client.ts'

const root = dirname(dirname(import.meta.dirname))
const folder = join(root, 'observability', 'grafana', 'dashboards')
const panels = DASHBOARDS.flatMap(({ title, rows }) =>
  rows.flatMap((row) => row.panels.map((panel) => ({ dashboard: title, ...panel }))),
)

describe('The dashboards', () => {
  it('are committed as they are described: make dashboards', () => {
    const committed = readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), 'utf8')])

    expect(Object.fromEntries(committed)).to.deep.equal(Object.fromEntries(dashboardFiles()))
  })

  it('have an explanation, a unit and a legend on every panel', () => {
    expect(panels.length).to.be.above(80)
    for (const { dashboard, title, description, queries } of panels) {
      expect(description, `${dashboard}: ${title}`).to.match(/^[A-Za-z0-9].{15,}\.$/)
      expect(queries.length, `${dashboard}: ${title}`).to.be.within(1, 26)
      for (const { legend } of queries) expect(legend, `${dashboard}: ${title}`).to.not.equal('')
    }
    const titles = DASHBOARDS.map(({ rows }) =>
      rows.flatMap((row) => row.panels.map(({ title }) => `${row.title}/${title}`)),
    )
    for (const own of titles) expect(new Set(own).size).to.equal(own.length)
  })

  it('fill Grafana’s grid without a panel over another', () => {
    for (const [file, content] of dashboardFiles()) {
      const taken = new Set<string>()
      const { panels: placed, uid } = JSON.parse(content) as Placed
      expect(new Set(placed.map(({ id }) => id)).size, file).to.equal(placed.length)
      expect(uid).to.match(/^tchat-[a-z]{3,20}$/)
      for (const {
        gridPos: { x, y, w, h },
        title,
      } of placed) {
        expect(x + w, `${file}: ${title}`).to.be.at.most(24)
        for (let column = x; column < x + w; column++)
          for (let line = y; line < y + h; line++) {
            expect(taken.has(`${column} ${line}`), `${file}: ${title} lies on another`).to.equal(false)
            taken.add(`${column} ${line}`)
          }
      }
    }
  })
})

interface Placed {
  uid: string
  panels: { id: number; title: string; gridPos: { x: number; y: number; w: number; h: number } }[]
}

describe('A Prometheus that reads a busy cluster', () => {
  const crm = new Receiver()
  /** Takes nothing ever: its events become dead letters. */
  const gone = new Receiver({ behave: () => 410 })
  let cluster: Cluster
  let prometheus: RunningPrometheus
  let client: PrometheusClient
  let startedAt: number

  before(async function () {
    this.timeout(180_000)
    await Promise.all([crm.up(), gone.up()])
    cluster = await privateCluster({
      env: {
        ...HASTY,
        WEBHOOK_URLS: `crm=${crm.url},gone=${gone.url}`,
        WEBHOOK_SECRETS: `crm=${crm.secret},gone=${gone.secret}`,
        WEBHOOK_ALLOW_PRIVATE: 'true',
      },
    })
    prometheus = await startPrometheus(
      cluster.description,
      { runDir: cluster.runDir, restart: false },
      { intervalSeconds: 1 },
    )
    client = new PrometheusClient(prometheus.url)
    startedAt = Date.now()
    // A counter has a rate from its second reading on.
    await eventually(async () => expect(await client.range('up', startedAt)).to.have.length(6), 30_000)
    for (let time = 0; time < 3; time++) await goodTimes(cluster)
    await badTimes(cluster)
    await goodTimes(cluster)
    const enough = 'min(count_over_time(slo:budget_left:ratio30d[1h])) >= 2'
    await eventually(async () => expect(await client.range(enough, startedAt)).to.have.length(1), 30_000)
  })

  after(async function () {
    this.timeout(60_000)
    await prometheus?.stop()
    await cluster?.stop()
    await Promise.all([crm.down(), gone.down()])
  })

  /** As Grafana would fill the variables in. */
  const filledIn = (expr: string) =>
    expr.replaceAll('$job', '.+').replaceAll('$instance', '.+').replaceAll('$__rate_interval', '15s')

  it('reads every process', async () => {
    const targets = await client.targets()

    expect(targets.filter(({ health }) => health !== 'up')).to.deep.equal([])
    expect(targets.map(({ job }) => job)).to.have.members(['api', 'gateway', 'gateway', 'worker', 'edge', 'prometheus'])
  })

  it('has data for every query of every dashboard', async function () {
    this.timeout(60_000)
    const lines: string[] = []
    const empty: string[] = []
    for (const { dashboard, title, unit, queries } of panels)
      for (const { expr, legend } of queries) {
        const series = await client.range(filledIn(expr), startedAt)
        const values = series.flatMap((one) => lastNumber(one) ?? [])
        if (values.length === 0) empty.push(`${dashboard}: ${title}: ${expr}`)
        const range = `${Math.min(...values).toPrecision(4)} … ${Math.max(...values).toPrecision(4)}`
        lines.push([dashboard, title, legend, `${values.length}/${series.length}`, range, unit].join(' | '))
      }
    if (process.env.SHOW_PANELS) console.log(lines.join('\n'))

    expect(empty).to.deep.equal([])
  })

  it('has evaluated every rule, and recorded what is to be recorded', async () => {
    const rules = await client.rules()

    expect(rules.length).to.be.above(60)
    expect(rules.filter(({ health }) => health !== 'ok')).to.deep.equal([])
    for (const { name } of rules.filter(({ type }) => type === 'recording'))
      expect((await client.range(name, startedAt)).length, name).to.be.above(0)
  })

  it('takes every query of the runbook', async () => {
    const runbook = readFileSync(join(root, 'docs', 'runbook.md'), 'utf8')
    const queries = [...runbook.matchAll(/'query=([^']+)'/g)].map(([, query = '']) => query)

    expect(queries).to.have.length.above(30)
    for (const query of queries) {
      await client.range(query, startedAt)
      for (const selector of selectorsIn(query)) {
        const [metric = ''] = selector.split('{')
        expect((await client.range(metric, startedAt)).length, query).to.be.above(0)
      }
    }
  })

  it('knows every series that an alert asks for', async () => {
    for (const { name, query } of (await client.rules()).filter(({ type }) => type === 'alerting')) {
      const selectors = selectorsIn(query)
      expect(selectors, name).to.have.length.above(0)
      for (const selector of selectors) {
        // Nobody reads too slowly here.
        const asked = selector.replace('{cause="behind"}', '')
        expect((await client.range(asked, startedAt)).length, `${name}: ${selector}`).to.be.above(0)
      }
    }
  })
})

/** The metrics of a query, with their matchers and without their ranges: words that are no function and no keyword. */
function selectorsIn(query: string): string[] {
  const bare = query.replace(/\b(?:by|on|without|ignoring|group_left|group_right) ?\([^)]*\)/g, '')
  const found = bare.matchAll(/(?<![\w"=~:])([a-z_][a-z0-9_:]*)(\{[^}]*\})?(?!\s*\(|[\w"])/g)
  const words = new Set(['and', 'or', 'unless', 'bool', 'offset', 'by', 'on'])
  return [...new Set([...found].map(([, name = '', matchers = '']) => name + matchers))].filter(
    (selector) => !words.has(selector) && /_|:|^up/.test(selector),
  )
}
