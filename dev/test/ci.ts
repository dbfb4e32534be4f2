// The two legs of continuous integration: unit tests and a real cluster on the current LTS Node, which comes as an npm
// package, then all of `make test` on this machine's own Node. What failed is said again at the end, and the last line
// counts both.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve, sep } from 'node:path'
import { addCounts, type Counts, FailureReport, formatCounts, isGood, parseCounts } from './counts.ts'
import { findTestFiles } from './test-files.ts'

const LTS_MAJOR = 24
const root = resolve(import.meta.dirname, '../..')

/** Tests with processes that run on the LTS Node too: a cluster that starts, breaks and heals, and a whole call. */
const SMOKE_TESTS = ['test/cluster/cluster.test.ts', 'test/demo/demo.test.ts']

/** Failures of both legs: those of the first would be thousands of lines above the end. */
const failures: string[] = []

/** Runs a command whose closing line counts; a command without one, or with a bad exit in spite of it, has failed. */
async function leg(title: string, command: string, args: string[], env: NodeJS.ProcessEnv): Promise<Counts> {
  console.log(`== ${title}`)
  const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] })
  const report = new FailureReport()
  let last: Counts | undefined
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    process.stdout.write(text)
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      last = parseCounts(line) ?? last
      report.add(line)
    }
  })
  const code = await new Promise((done) => {
    child.once('error', () => done('not started'))
    child.once('close', (status) => done(status))
  })
  if (report.text !== '') failures.push(`== ${title}, again what failed`, report.text)
  const counts = last ?? { passed: 0, failed: 0, skipped: 0 }
  if (last && (code === 0 || last.failed > 0 || last.skipped > 0)) return counts
  console.error(`${title}: ended with ${code}`)
  return { ...counts, failed: counts.failed + 1 }
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

async function ltsLeg(): Promise<Counts> {
  const folder = mkdtempSync(join(tmpdir(), 'tchat-calling-node-'))
  try {
    const bin = installLts(folder)
    const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` }
    if (spawnSync(process.execPath, ['dev/build.mjs'], { cwd: root, stdio: 'inherit' }).status !== 0) {
      throw new Error('the build failed')
    }
    const unitTests = findTestFiles(root).filter((file) => !file.startsWith(join(root, 'test') + sep))
    const smokeTests = SMOKE_TESTS.map((file) => join(root, file)).filter((file) => existsSync(file))
    const args = ['--import', 'tsx', 'dev/test/run.ts', ...unitTests, ...smokeTests]
    return await leg(`Node ${LTS_MAJOR}: unit tests and a cluster`, join(bin, 'node'), args, env)
  } catch (error) {
    console.error(`Node ${LTS_MAJOR}: ${error instanceof Error ? error.message : error}`)
    return { passed: 0, failed: 1, skipped: 0 }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const onLts = await ltsLeg()
const here = await leg(`Node ${process.versions.node}: everything`, 'make', ['test'], process.env)
const counts = addCounts(onLts, here)
for (const text of failures) console.log(text)
console.log(`Node ${LTS_MAJOR}: ${formatCounts(onLts)}; Node ${process.versions.node}: ${formatCounts(here)}; in all:`)
process.exitCode = isGood(counts, true) ? 0 : 1
console.log(formatCounts(counts))
