/** The process of the trials: every trial becomes a test of Node's test runner, in the section that it holds. */
import { describe, it } from 'node:test'
import { Bench } from './bench.ts'
import { coverageTable } from './coverage.ts'
import { WebhookReceiver } from './drivers/webhook-receiver.ts'
import { missing, NEEDS, readSettings, type Settings } from './settings.ts'
import { type Trial, trialsBySection } from './trial.ts'
import { Users } from './users.ts'
import './trials/rest-calls.ts'
import './trials/rest-errors.ts'
import './trials/history.ts'
import './trials/presence.ts'
import './trials/tokens.ts'
import './trials/limits.ts'
import './trials/handshakes.ts'
import './trials/rooms.ts'
import './trials/relay.ts'
import './trials/faults.ts'
import './trials/resume.ts'
import './trials/user-channels.ts'
import './trials/devices.ts'
import './trials/states.ts'
import './trials/races.ts'
import './trials/service.ts'
import './trials/webhooks.ts'

/** A trial that hangs ends long after everything that it waits for. */
const TRIAL_DEADLINES = 60

async function run(trial: Trial, bench: Bench): Promise<void> {
  try {
    await trial.run(bench)
  } finally {
    await bench.close()
  }
}

function define(settings: Settings, only: string): void {
  const users = new Users(settings)
  const receiver = settings.webhooks === undefined ? undefined : new WebhookReceiver(settings.webhooks)
  const wanted = ({ section, title }: Trial) => `${section.heading} ${title}`.includes(only)
  for (const [section, trials] of trialsBySection()) {
    const chosen = trials.filter(wanted)
    if (chosen.length === 0) continue
    describe(`${section.heading} [${section.source}]`, { concurrency: settings.atOnce }, () => {
      for (const trial of chosen) {
        const lacks = missing(settings, trial.needs)
        const skip = lacks === undefined ? false : `needs ${NEEDS[lacks]}`
        it(trial.title, { skip, timeout: TRIAL_DEADLINES * settings.patienceMs }, () =>
          run(trial, new Bench(settings, users, receiver)),
        )
      }
    })
  }
}

if (process.env.CALLING_CONFORMANCE_LIST === '1') console.log(coverageTable())
else define(readSettings(process.env), process.env.CALLING_CONFORMANCE_ONLY ?? '')
