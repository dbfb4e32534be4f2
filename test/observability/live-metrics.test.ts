/** What running processes tell: in a form that Prometheus likes, and just what docs/metrics.md says of each. */
import { execFileSync } from 'node:child_process'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { findTool, PROMTOOL } from '../../dev/cluster/tools.ts'
import { sharedCluster } from '../support/clusters.ts'
import { documentedDefaults, documentedMetrics } from './metric-definitions.ts'

/** Made when they are first counted: absent from a process that has just begun. */
const LATE = ['outbox_lag_seconds', 'outbox_pending', 'calls_live']

describe('The metrics of a running process', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })

  for (const role of ['api', 'gateway', 'worker'] as const) {
    const textOf = async () => (await fetch(`http://127.0.0.1:${cluster[role](0).metricsPort}/metrics`)).text()

    it(`of the ${role} pass promtool check metrics`, async () => {
      const { path, env } = await findTool(PROMTOOL)

      // It exits with 3 and names the metric where anything is odd.
      execFileSync(path, ['check', 'metrics'], { input: await textOf(), env: { ...process.env, ...env } })
    })

    it(`of the ${role} are those of the tables, in type and help, too`, async () => {
      const text = await textOf()
      const own = documentedMetrics().filter(({ processes }) => processes.includes(role))
      const live = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name = '', type = '']) => ({ name, type }))
      const helps = new Map([...text.matchAll(/^# HELP (\w+) (.*)$/gm)].map(([, name, help]) => [name, help]))

      const expected = [...own.map(({ name }) => name), ...documentedDefaults()]
      const present = live.map(({ name }) => name)
      expect(present.filter((name) => !expected.includes(name))).to.deep.equal([])
      expect(expected.filter((name) => !present.includes(name) && !LATE.includes(name))).to.deep.equal([])
      for (const { name, type, help } of own.filter(({ name }) => present.includes(name))) {
        expect(live.find((metric) => metric.name === name)?.type, name).to.equal(type)
        expect(help.startsWith(helps.get(name) ?? 'nothing'), name).to.equal(true)
      }
    })
  }
})
