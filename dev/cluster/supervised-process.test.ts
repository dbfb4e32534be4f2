import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { livingPids } from './process-identity.ts'
import { SupervisedProcess } from './supervised-process.ts'
import { waitUntil } from './wait-until.ts'

/** Runs for ever, and says so. */
const STEADY = 'console.log("here"); setInterval(() => {}, 1000)'
/** Ends as soon as it runs. */
const CRASHING = 'console.error("no good"); process.exit(3)'
/** Takes no hint. */
const STUBBORN = 'process.on("SIGTERM", () => {}); console.log("here"); setInterval(() => {}, 1000)'

describe('SupervisedProcess', () => {
  let runDir: string
  let lines: string[]
  let supervised: SupervisedProcess

  function create(script: string, restart: boolean): SupervisedProcess {
    lines = []
    supervised = new SupervisedProcess(
      { name: 'worker-1', command: process.execPath, args: ['-e', script], env: process.env },
      { runDir, restart, log: (_name, line) => lines.push(line) },
    )
    return supervised
  }

  const untilPrinted = (wanted: string, times = 1) =>
    waitUntil(`"${wanted}" was not printed ${times} times`, 10_000, () => {
      if (lines.filter((line) => line.includes(wanted)).length < times) throw new Error(lines.join('\n'))
    })

  beforeEach(() => {
    runDir = mkdtempSync(join(tmpdir(), 'tchat-calling-supervised-'))
  })

  afterEach(async () => {
    await supervised.stop(1_000)
    await supervised.close()
    rmSync(runDir, { recursive: true, force: true })
  })

  it('notes its pid while it runs, and only then', async () => {
    create(STEADY, false).start()
    await untilPrinted('here')
    expect(livingPids(join(runDir, 'pids')).get('worker-1')?.pid).to.equal(supervised.pid)

    await supervised.stop(5_000)

    expect(supervised.pid).to.equal(null)
    expect(livingPids(join(runDir, 'pids')).size).to.equal(0)
  })

  it('keeps what it prints', async () => {
    create(STEADY, false).start()
    await untilPrinted('here')
    await supervised.stop(5_000)
    await supervised.close()

    expect(readFileSync(join(runDir, 'logs', 'worker-1.log'), 'utf8')).to.include('here\n')
  })

  it('reports a first start that fails instead of repeating it', async () => {
    create(CRASHING, true).start()
    await waitUntil('it did not end', 10_000, () => {
      if (!supervised.hasFailed) throw new Error('still there')
    })

    expect(supervised.lastExitReason).to.equal('exit code 3')
    await untilPrinted('no good')
  })

  it('starts again what was killed', async () => {
    create(STEADY, true).start()
    supervised.keepRunning()
    await untilPrinted('here')
    const first = supervised.pid

    await supervised.kill('SIGKILL')

    await untilPrinted('here', 2)
    expect(supervised.pid).to.be.a('number').and.not.equal(first)
  })

  it('waits longer after each crash', async () => {
    create(CRASHING, true).start()
    supervised.keepRunning()

    await untilPrinted('starting it again', 3)

    const delays = lines.flatMap((line) => /again in (\d+) ms/.exec(line)?.[1] ?? [])
    expect(delays.slice(0, 3)).to.deep.equal(['100', '200', '400'])
  })

  it('does not start again what was stopped', async () => {
    create(CRASHING, true).start()
    supervised.keepRunning()
    await untilPrinted('starting it again')

    await supervised.stop(1_000)

    expect(supervised.pid).to.equal(null)
    expect(livingPids(join(runDir, 'pids')).size).to.equal(0)
  })

  it('kills what does not stop in time', async () => {
    create(STUBBORN, true).start()
    await untilPrinted('here')

    await supervised.stop(100)

    expect(supervised.lastExitReason).to.equal('SIGKILL')
    await untilPrinted('did not stop within 100 ms')
  })
})
