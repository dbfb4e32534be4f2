// Artillery's scenarios against a cluster of our own, gateways being replaced in the one that wants it.
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { sleep } from '../load/waiting.ts'
import { listScenarios, runScenario } from '../scenarios.ts'
import type { Outcome, Trial, TrialStage } from './trial.ts'

/** The calls of the scenario have come by then: Artillery's own start, and its phase of ten seconds. */
const DEPLOY_AFTER_MS = 14_000
const BETWEEN_MS = 1_000

export const SCENARIOS: Trial = {
  name: 'scenarios',
  title: 'Artillery scenarios',
  about: [
    'Each scenario of `loadtest/artillery/` with its thresholds, through the edge, two gateways behind it.',
    'Artillery itself takes a good part of the machine: its latencies are upper bounds, the harnesses above measure closer.',
  ],
  deadlineSeconds: { smoke: 300, short: 300, full: 590 },

  async run(stage) {
    const cluster = await stage.cluster({ gateways: 2, restart: true })
    const outcome: Outcome = { figures: [] }
    for (const name of listScenarios()) {
      stage.say(`  ${name}`)
      const done = new AbortController()
      const deploy = name === 'rolling-deploy' ? replaceGateways(stage, cluster, done.signal) : Promise.resolve()
      const print = (line: string) => {
        if (/Metrics for period|vusers.completed|fail/i.test(line)) stage.say(`    ${line}`)
      }
      const key = { secret: cluster.jwtSecret }
      const figures = await runScenario(name, { url: cluster.url, key, print, signal: stage.signal }).then(
        (result) => result.figures,
        (error: Error) => {
          stage.say(`    ${error.message}`)
          return [{ what: 'it ended with a report', value: 0, unit: '', limit: 1, atLeast: true, digits: 0 }]
        },
      )
      done.abort()
      await deploy
      outcome.figures.push(...figures.map((figure) => ({ ...figure, what: `${name}: ${figure.what}` })))
    }
    return outcome
  },
}

/** One gateway after the other is asked to go and comes back, as a deploy does it, once calls are on them. */
async function replaceGateways(stage: TrialStage, cluster: Cluster, done: AbortSignal): Promise<void> {
  await sleep(DEPLOY_AFTER_MS)
  for (const { name, pid } of cluster.description.gateways) {
    if (done.aborted || pid === null) return
    stage.say(`    ${name} is replaced`)
    process.kill(pid, 'SIGTERM')
    while (cluster.description.gateways.some((one) => one.name === name && one.pid === pid) && !done.aborted)
      await sleep(BETWEEN_MS / 10)
    await cluster.waitReady(name)
    await sleep(BETWEEN_MS)
  }
}
