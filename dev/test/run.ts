// `make test`: build, lint and types, the client's and the page's too, each one check, then every test. The last line counts them all.
// Given files or --grep, it runs those tests alone.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { addCounts, type Counts, formatCounts, isGood } from './counts.ts'

const root = resolve(import.meta.dirname, '../..')
const ci = process.env.CI === 'true'

/** One command as one check. */
function check(name: string, command: string, args: string[]): Counts {
  const startedAt = Date.now()
  const { status } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  const good = status === 0
  console.log(`${good ? '✔' : '✘'} ${name} (${((Date.now() - startedAt) / 1000).toFixed(1)} s)`)
  return { passed: good ? 1 : 0, failed: good ? 0 : 1, skipped: 0 }
}

const bin = (name: string) => join(root, 'node_modules', name)

function staticChecks(): Counts {
  return [
    check('build', process.execPath, ['dev/build.mjs']),
    check('lint and format', process.execPath, [bin('@biomejs/biome/bin/biome'), 'check', '--error-on-warnings', '.']),
    check('types', process.execPath, [bin('typescript/bin/tsc'), '--noEmit']),
    check('types of the client', process.execPath, [bin('typescript/bin/tsc'), '--noEmit', '-p', 'client']),
    check('types of the page', process.execPath, [bin('typescript/bin/tsc'), '--noEmit', '-p', 'web']),
  ].reduce(addCounts)
}

/** Tests run in a process of their own, so that a crash or a leak there is counted here. */
function tests(args: string[]): Counts {
  const folder = mkdtempSync(join(tmpdir(), 'tchat-calling-counts-'))
  const file = join(folder, 'counts.json')
  try {
    const command = ['--import', 'tsx', 'dev/test/mocha-run.ts', '--counts', file, ...args]
    const { status, signal } = spawnSync(process.execPath, command, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    const counts = readCounts(file)
    if (counts && (status === 0 || counts.failed > 0)) return counts
    console.error(`The tests did not end properly (${signal ?? `exit code ${status}`})`)
    return addCounts(counts ?? { passed: 0, failed: 0, skipped: 0 }, { passed: 0, failed: 1, skipped: 0 })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function readCounts(file: string): Counts | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Counts
  } catch {
    return undefined
  }
}

const args = process.argv.slice(2)
const counts = args.length > 0 ? tests(args) : addCounts(staticChecks(), tests(args))
const good = isGood(counts, ci)
if (!good && counts.failed === 0) console.error('A skipped test fails the run where CI=true.')
process.exitCode = good ? 0 : 1
console.log(formatCounts(counts))
