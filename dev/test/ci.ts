// The two legs of continuous integration: unit tests and a real cluster on the current LTS Node, which comes as an npm
// package, then all of `make test` on this machine's own Node. What failed is said again at the end, and the last line
// counts both.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { addCounts, type Counts, formatCounts, isGood } from './counts.ts'
import { describeFailures, type Report } from './outcome.ts'
import { findTestFiles } from './test-plan.ts'

const LTS_MAJOR = 24
const root = resolve(import.meta.dirname, '../..')

/** Tests with processes that run on the LTS Node too: a cluster that starts, breaks and heals, and a whole call. */
const SMOKE_TESTS = ['test/cluster/cluster.test.ts', 'test/demo/demo.test.ts']

/** Failures of both legs: those of the first would be thousands of lines above the end. */
const failures: string[] = []

/** Runs a command that leaves a report; one that leaves none, or ends badly in spite of a good one, has failed. */
function leg(title: string, command: string, args: string[], env: NodeJS.ProcessEnv): Counts {
  console.log(`== ${title}`)
  const reportDir = join(root, '.run/tests', title.split(':', 1)[0]?.replaceAll(' ', '-').toLowerCase() ?? '')
  rmSync(reportDir, { recursive: true, force: true })
  const reporting = { ...env, TEST_REPORT_DIR: reportDir }
  const { status, signal } = spawnSync(command, args, {
    cwd: root,
    env: reporting,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const report = readReport(join(reportDir, 'report.json'))
  if (report !== undefined) failures.push(...describeFailures(report).map((line) => `${title}: ${line}`))
  const counts = report?.counts ?? { passed: 0, failed: 0, skipped: 0 }
  if (report !== undefined && (status === 0 || counts.failed > 0 || counts.skipped > 0)) return counts
  failures.push(`${title}: ended with ${signal ?? `exit code ${status}`}`)
  return { ...counts, failed: counts.failed + 1 }
}

function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report
  } catch {
    return undefined
  }
}

/** The folder of the LTS Node's binary. */
function installLts(folder: string): string {
  const name = `node-${process.platform}-${process.arch}`
  const options = ['--no-save', '--no-audit', '--no-fund', '--prefix', folder]
  const { status } = spawnSync('npm', ['install', ...options, `${name}@${LTS_MAJOR}`], { stdio: 'inherit' })
  const bin = join(folder, 'node_modules', name, 'bin')
  if (status !== 0 || !existsSync(join(bin, 'node'))) throw new Error(`npm could not bring ${name}@${LTS_MAJOR}`)
  return bin
}

function ltsLeg(): Counts {
  const folder = mkdtempSync(join(tmpdir(), 'tchat-calling-node-'))
  try {
    const bin = installLts(folder)
    const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` }
    if (spawnSync(process.execPath, ['dev/build.mjs'], { cwd: root, stdio: 'inherit' }).status !== 0) {
      throw new Error('the build failed')
    }
    const unitTests = findTestFiles(root).filter((file) => !file.startsWith('test/'))
    const args = ['--import', 'tsx', 'dev/test/run.ts', ...unitTests, ...SMOKE_TESTS]
    return leg(`Node ${LTS_MAJOR}: unit tests and a cluster`, join(bin, 'node'), args, env)
  } catch (error) {
    console.error(`Node ${LTS_MAJOR}: ${error instanceof Error ? error.message : error}`)
    return { passed: 0, failed: 1, skipped: 0 }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const onLts = ltsLeg()
const here = leg(`Node ${process.versions.node}: everything`, 'make', ['test'], process.env)
const counts = addCounts(onLts, here)
for (const line of failures) console.log(line)
console.log(`Node ${LTS_MAJOR}: ${formatCounts(onLts)}; Node ${process.versions.node}: ${formatCounts(here)}; in all:`)
process.exitCode = isGood(counts, true) ? 0 : 1
console.log(formatCounts(counts))
