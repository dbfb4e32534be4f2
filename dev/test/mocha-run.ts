// Runs test files in this process by the settings of .mocharc.json, reports counts to a file, and refuses to hide
// leaks: a process that does not end by itself after its last test has left something open.
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import Mocha from 'mocha'
import type { Counts } from './counts.ts'
import { findTestFiles } from './test-files.ts'

/** Closing sockets, pools and children after the last test takes a moment, but no more than this. */
const LEAK_DEADLINE_MS = 20_000

interface MochaSettings {
  timeout: number
  require?: string[]
}

const root = resolve(import.meta.dirname, '../..')
const settings = JSON.parse(readFileSync(join(root, '.mocharc.json'), 'utf8')) as MochaSettings
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { grep: { type: 'string' }, counts: { type: 'string' } },
})

const mocha = new Mocha({ timeout: settings.timeout, reporter: 'spec' })
if (values.grep) mocha.grep(new RegExp(values.grep))
for (const file of settings.require ?? []) {
  const module: { mochaHooks?: Mocha.RootHookObject } = await import(pathToFileURL(join(root, file)).href)
  if (module.mochaHooks) mocha.rootHooks(module.mochaHooks)
}
mocha.files = positionals.length > 0 ? positionals.map((file) => resolve(file)) : findTestFiles(root)
await mocha.loadFilesAsync()

// Children live in sessions of their own; they are ended as this process exits, which a bare signal would skip.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))

const runner = mocha.run((failures) => {
  const counts: Counts = { passed: runner.stats?.passes ?? 0, failed: failures, skipped: runner.stats?.pending ?? 0 }
  if (values.counts) writeFileSync(values.counts, JSON.stringify(counts))
  process.exitCode = failures === 0 ? 0 : 1
  watchForLeaks()
})

function watchForLeaks(): void {
  const timer = setTimeout(() => {
    const open = process.getActiveResourcesInfo().join(', ')
    console.error(`Something is still open ${LEAK_DEADLINE_MS / 1000} s after the last test: ${open}`)
    if (values.counts) writeFileSync(values.counts, JSON.stringify(withLeak()))
    process.exit(1)
  }, LEAK_DEADLINE_MS)
  // It fires only if something else keeps this process alive, which is what it looks for.
  timer.unref()
}

function withLeak(): Counts {
  const counts = JSON.parse(readFileSync(values.counts ?? '', 'utf8')) as Counts
  return { ...counts, failed: counts.failed + 1 }
}
