// The two legs of continuous integration, beside each other: unit tests and a real cluster on the current LTS Node, which
// comes as an npm package, in one lane; and all of `make test` on this machine's own Node. What the first one prints is
// shown when both are over. What failed is said again at the end, and the last line counts both.
import { type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { addCounts, type Counts, formatCounts, isGood } from './counts.ts'
import { describeFailures, type Report } from './outcome.ts'
import { findTestFiles } from './test-plan.ts'

const LTS_MAJOR = 24
const root = resolve(import.meta.dirname, '../..')

/** Tests with processes that run on the LTS Node too: a cluster that starts, breaks and heals, and a whole call. */
const SMOKE_TESTS = ['test/cluster/cluster.test.ts', 'test/demo/demo.test.ts']

interface Leg {
  title: string
  counts: Counts
  failures: string[]
  /** What it printed, where that was not shown at once. */
  output: string
}

interface Ended {
  status: number | null
  signal: string | null
  output: string
}

/** Runs a command to its end. Its output is shown at once, or kept. */
async function run(
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv,
  shows: 'at once' | 'later',
): Promise<Ended> {
  const output = shows === 'later' ? 'pipe' : 'inherit'
  const options: SpawnOptions = { cwd: root, env, stdio: ['ignore', output, output] }
  const child = spawn(command, args, options)
  const ended = once(child, 'close') as Promise<[number | null, string | null]>
  const printed = [child.stdout, child.stderr].map((stream) => (stream === null ? '' : text(stream)))
  const [[status, signal], ...parts] = await Promise.all([ended, ...printed])
  return { status, signal, output: parts.join('') }
}

/** Runs a command that leaves a report; one that leaves none, or ends badly in spite of a good one, has failed. */
async function leg(title: string, command: string, args: string[], env: NodeJS.ProcessEnv, shows: 'at once' | 'later') {
  const reportDir = join(root, '.run/tests', title.split(':', 1)[0]?.replaceAll(' ', '-').toLowerCase() ?? '')
  rmSync(reportDir, { recursive: true, force: true })
  const ended = await run(command, args, { ...env, TEST_REPORT_DIR: reportDir, BUILT: 'true' }, shows)
  return judge(title, ended, readReport(join(reportDir, 'report.json')))
}

function judge(title: string, { status, signal, output }: Ended, report: Report | undefined): Leg {
  const failures = report === undefined ? [] : describeFailures(report).map((line) => `${title}: ${line}`)
  const counts = report?.counts ?? { passed: 0, failed: 0, skipped: 0 }
  if (report !== undefined && (status === 0 || counts.failed > 0 || counts.skipped > 0))
    return { title, counts, failures, output }
  failures.push(`${title}: ended with ${signal ?? `exit code ${status}`}`)
  return { title, counts: { ...counts, failed: counts.failed + 1 }, failures, output }
}

function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report
  } catch {
    return undefined
  }
}

/** The folder of the LTS Node's binary. @throws where npm does not bring it */
async function installLts(folder: string): Promise<string> {
  const name = `node-${process.platform}-${process.arch}`
  const options = ['--no-save', '--no-audit', '--no-fund', '--prefix', folder]
  const { status, output } = await run('npm', ['install', ...options, `${name}@${LTS_MAJOR}`], process.env, 'later')
  const bin = join(folder, 'node_modules', name, 'bin')
  if (status !== 0 || !existsSync(join(bin, 'node'))) throw new Error(`npm could not bring ${name}:\n${output}`)
  return bin
}

async function ltsLeg(): Promise<Leg> {
  const title = `Node ${LTS_MAJOR}: unit tests and a cluster`
  const folder = mkdtempSync(join(tmpdir(), 'tchat-calling-node-'))
  try {
    const bin = await installLts(folder)
    const env = { ...process.env, LANES: '1', PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` }
    const unitTests = findTestFiles(root).filter((file) => !file.startsWith('test/'))
    const args = ['--import', 'tsx', 'dev/test/run.ts', ...unitTests, ...SMOKE_TESTS]
    return await leg(title, join(bin, 'node'), args, env, 'later')
  } catch (error) {
    const failure = `${title}: ${error instanceof Error ? error.message : error}`
    return { title, counts: { passed: 0, failed: 1, skipped: 0 }, failures: [failure], output: '' }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function report(legs: [Leg, Leg]): void {
  const [onLts, here] = legs
  const counts = addCounts(onLts.counts, here.counts)
  console.log(`\n== ${onLts.title}\n${onLts.output}`)
  for (const line of legs.flatMap(({ failures }) => failures)) console.log(line)
  const own = ({ title, counts: each }: Leg) => `${title.split(':', 1)[0]}: ${formatCounts(each)}`
  console.log(`${own(onLts)}; ${own(here)}; in all:`)
  process.exitCode = isGood(counts, true) ? 0 : 1
  console.log(formatCounts(counts))
}

if (spawnSync(process.execPath, ['dev/build.mjs'], { cwd: root, stdio: 'inherit' }).status === 0) {
  const title = `Node ${process.versions.node}: everything`
  console.log(`== ${title}`)
  report(await Promise.all([ltsLeg(), leg(title, 'make', ['test'], process.env, 'at once')]))
} else {
  console.log('The build failed')
  process.exitCode = 1
  console.log(formatCounts({ passed: 0, failed: 1, skipped: 0 }))
}
