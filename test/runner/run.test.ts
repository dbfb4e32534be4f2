/** The test runner itself: what it says of failures, flaky tests, crashes and leaks. It runs the suites in fixtures/. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'

const root = dirname(dirname(import.meta.dirname))

interface Run {
  code: number | null
  lines: string[]
  flaky: string
}

async function run(fixtures: string[], env: Record<string, string> = {}): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'tchat-calling-runner-'))
  try {
    const files = fixtures.map((name) => `test/runner/fixtures/${name}.ts`)
    const child = spawn(process.execPath, ['--import', 'tsx', 'dev/test/run.ts', ...files], {
      cwd: root,
      env: {
        ...process.env,
        CI: '',
        STRICT: '',
        TEST_REPORT_DIR: join(folder, 'report'),
        FIXTURE_MARKER: join(folder, 'marker'),
        ...env,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const code = new Promise<number | null>((done) => child.once('close', done))
    const lines = (await text(child.stdout)).trimEnd().split('\n')
    return { code: await code, lines, flaky: readFileSync(join(folder, 'report', 'flaky.txt'), 'utf8') }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe('The test runner', function () {
  this.timeout(120_000)
  /** All at once: most of a run is waiting for processes to start. */
  let flakyRun: Promise<Run>
  let strictRun: Promise<Run>
  let leakingRun: Promise<Run>
  let flakyLeakingRun: Promise<Run>

  before(() => {
    flakyRun = run(['fails-once'])
    strictRun = run(['crashes', 'fails-always', 'fails-once'], { LANES: '1', STRICT: '1' })
    leakingRun = run(['leaks'], { TEST_LEAK_SECONDS: '1' })
    flakyLeakingRun = run(['fails-once-and-leaks'], { TEST_LEAK_SECONDS: '5' })
    // Their tests say what went wrong; until then nobody listens.
    for (const one of [flakyRun, strictRun, leakingRun, flakyLeakingRun]) one.catch(() => {})
  })

  it('runs a failed test once more and reports it as flaky where it passes then', async () => {
    const { code, lines, flaky } = await flakyRun

    expect(lines.slice(-2)).to.deep.equal([
      'flaky test/runner/fixtures/fails-once.ts: a flaky suite fails the first time: the machine was slow',
      '1 passed, 0 failed',
    ])
    expect(code).to.equal(0)
    expect(flaky).to.contain('second line').and.to.contain('1 passing')
  })

  it('names what failed, and loses no other file to a crash', async () => {
    const { code, lines } = await strictRun

    expect(lines.slice(-4)).to.include.members([
      'failed test/runner/fixtures/crashes.ts: test/runner/fixtures/crashes.ts: The test process did not end properly (exit code 7):   a crashing suite',
      'failed test/runner/fixtures/fails-always.ts: a broken suite "before all" hook for "never runs": the cluster did not start',
    ])
    expect(code).to.equal(1)
  })

  it('counts a flaky test as failed where STRICT=1', async () => {
    const { lines } = await strictRun

    expect(lines.at(-4)).to.equal(
      'flaky test/runner/fixtures/fails-once.ts: a flaky suite fails the first time: the machine was slow',
    )
    expect(lines.at(-1)).to.equal('1 passed, 3 failed')
  })

  it('counts what is left open after the last test as a failure', async () => {
    const { code, lines } = await leakingRun

    expect(lines.at(-2)).to.match(
      /^failed end of a process after .*leaks\.ts: .*\(exit code 1\): Something is still open .*TCPServerWrap/,
    )
    expect(lines.at(-1)).to.equal('1 passed, 1 failed')
    expect(code).to.equal(1)
  })

  it('takes what a flaky test left open for a part of its failure', async () => {
    const { code, lines } = await flakyLeakingRun

    const name = 'test/runner/fixtures/fails-once-and-leaks.ts'
    expect(lines.at(-3)).to.contain(`flaky ${name}: a flaky suite leaves a server open when it fails: too slow`)
    expect(lines.at(-2)).to.contain(`flaky end of a process after ${name}`)
    expect(lines.at(-1)).to.equal('2 passed, 0 failed')
    expect(code).to.equal(0)
  })
})
