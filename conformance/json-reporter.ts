/** A reporter of Node's test runner: one JSON document with every trial and the section of the contract that it holds. */
import type { TestEvent } from 'node:test/reporters'
import { findTrial } from './trial.ts'

interface Result {
  section: string
  source: string
  title: string
  state: 'passed' | 'failed' | 'skipped'
  /** What a skipped trial needs, or the first line of a failure. */
  reason?: string
  duration_ms: number
}

async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const results: Result[] = []
  for await (const event of events) {
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue
    const trial = findTrial(event.data.name)
    if (trial === undefined) continue
    const { details, skip } = event.data
    const reason =
      event.type === 'test:fail' ? firstLine(event.data.details.error) : typeof skip === 'string' ? skip : undefined
    results.push({
      section: trial.section.heading,
      source: trial.section.source,
      title: trial.title,
      state: event.type === 'test:fail' ? 'failed' : skip === undefined ? 'passed' : 'skipped',
      ...(reason === undefined ? {} : { reason }),
      duration_ms: Math.round(details.duration_ms),
    })
  }
  const count = (state: Result['state']) => results.filter((result) => result.state === state).length
  const counts = { passed: count('passed'), failed: count('failed'), skipped: count('skipped') }
  yield `${JSON.stringify({ ...counts, trials: results }, null, 2)}\n`
}

function firstLine(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return String(cause instanceof Error ? cause.message : cause).split('\n', 1)[0] ?? ''
}

// Node's test runner loads a reporter by its default export: the one place that needs one.
// biome-ignore lint/style/noDefaultExport: see above
export { report as default }
