// A crowd that connects at once while a gateway dies: the storm of `make chaos-storm`, with its figures on the page.
import { runStorm } from '../../test/chaos/storm/storm.ts'
import { faultsOfStorm } from '../../test/chaos/storm/storm-report.ts'
import type { Trial } from './trial.ts'

export const STORM: Trial = {
  name: 'storm',
  title: 'Connect storm after the death of a gateway',
  about: [
    'Clients open their user channels at once, each attempt at any of three gateways; the first gateway is killed with `kill -9` when half of them are in.',
    'Ten calls between the other two gateways go on meanwhile.',
    '`CLIENTS=50000 make chaos-storm` is the same at the size of a town.',
  ],
  deadlineSeconds: { smoke: 60, short: 100, full: 240 },

  async run(stage) {
    const cluster = await stage.cluster({ gateways: 3, restart: true })
    const clients = stage.pick({ smoke: 200, short: 1_500, full: 10_000 })
    const deadlineMs = stage.pick({ smoke: 30_000, short: 60_000, full: 180_000 })
    const result = await runStorm(cluster, {
      clients,
      through: 'gateways',
      deadlineMs,
      say: (text) => stage.say(`  ${text}`),
    })
    const limits = { allInAfterKillMs: deadlineMs, relayP99Ms: 2_500, rssMib: 400, attemptsPerEntry: 3 }
    return {
      figures: [
        { what: 'clients', value: clients, unit: '', digits: 0 },
        { what: 'lost their connection by the death', value: result.lostByKill, unit: '', digits: 0 },
        { what: 'from the death until all were in', value: (result.allInAfterKillMs ?? Number.NaN) / 1000, unit: ' s' },
        { what: 'let in a second', value: clients / ((result.allInMs ?? Number.NaN) / 1000), unit: '/s', digits: 0 },
        { what: 'away, p99', value: result.away.p99 / 1000, unit: ' s' },
        { what: 'messages of calls that went on: p99 before', value: result.relayBefore.p99, unit: ' ms' },
        {
          what: 'messages of calls that went on: p99 during',
          value: result.relayDuring.p99,
          unit: ' ms',
          limit: 2_500,
        },
        {
          what: 'messages lost, connections of calls closed',
          value: result.relayLost + result.relayClosed,
          unit: '',
          limit: 0,
          digits: 0,
        },
        { what: 'refusals without advice', value: result.refused - result.advised, unit: '', limit: 0, digits: 0 },
      ],
      notes: faultsOfStorm(result, limits).map((fault) => `Fault: ${fault}.`),
    }
  },
}
