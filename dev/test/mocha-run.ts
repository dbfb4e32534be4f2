// Runs test files in this process with the timeout of .mocharc.json, reports counts to a file, and refuses to hide
// leaks: a process that does not end by itself after its last test has left something open.
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import Mocha from 'mocha'
import type { Counts } from './counts.ts'
import { findTestFiles } from './test-files.ts'

/** Closing sockets, pools and children after the last test takes a moment, but no more than this. */
const LEAK_DEADLINE_MS = 20_000

const root = resolve(import.meta.dirname, '../..')
const settings = JSON.parse(readFileSync(join(root, '.mocharc.json'), 'utf8')) as { timeout: number }
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { grep: { type: 'string' }, counts: { type: 'string' } },
})

const mocha = new Mocha({ timeout: settings.timeout, reporter: 'spec' })
if (values.grep) mocha.grep(new RegExp(values.grep))
const files = positionals.length > 0 ? positionals.map((file) => resolve(file)) : findTestFiles(root)
mocha.files = [join(import.meta.dirname, 'root-hooks.ts'), ...files]
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
    console.error(`Something is still open ${LEAK_DEADLINE_MS / 1000} s after the last test: ${openResources()}`)
    if (values.counts) writeFileSync(values.counts, JSON.stringify(withLeak()))
    process.exit(1)
  }, LEAK_DEADLINE_MS)
  // It fires only if something else keeps this process alive, which is what it looks for.
  timer.unref()
}

/** What keeps the process alive, as Node names it: `3 × TCPSocketWrap, 1 × Timeout`. */
function openResources(): string {
  const counts = new Map<string, number>()
  for (const name of process.getActiveResourcesInfo()) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts].map(([name, count]) => `${count} × ${name}`).join(', ')
}

function withLeak(): Counts {
  const counts = JSON.parse(readFileSync(values.counts ?? '', 'utf8')) as Counts
  return { ...counts, failed: counts.failed + 1 }
}
