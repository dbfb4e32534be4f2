// Which files hold tests, and in which order and company they run.
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'

const FOLDERS = ['core', 'api', 'gateway', 'worker', 'client', 'web', 'edge', 'dev', 'test']

/** A line of a test file by which it asks for the machine to itself, and says why. */
const ALONE = /^\/\/ alone: \S/m

export interface TestPlan {
  /** Those that share the machine with each other, the slow ones first. */
  together: string[]
  /** Those that run after the others, one at a time. */
  alone: string[]
}

/** Every test file of the checkout, relative to it, unit tests beside their subjects first, in a fixed order. */
export function findTestFiles(root: string): string[] {
  return FOLDERS.flatMap((folder) => testFilesIn(root, folder))
}

/**
 * Puts files into the order in which lanes take them.
 * @param durationsMs of an earlier run, by file; files that it does not know come first, as they may be slow
 */
export function planTests(root: string, files: readonly string[], durationsMs: Record<string, number>): TestPlan {
  const alone = files.filter((file) => ALONE.test(readFileSync(join(root, file), 'utf8')))
  const together = files.filter((file) => !alone.includes(file))
  const duration = (file: string) => durationsMs[file] ?? Number.POSITIVE_INFINITY
  // Infinity less Infinity is no number; such files keep their order.
  together.sort((a, b) => (duration(a) === duration(b) ? 0 : duration(b) - duration(a)))
  return { together, alone }
}

function testFilesIn(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts') && !file.includes('node_modules'))
    .sort()
    .map((file) =>
      relative(root, join(root, folder, file))
        .split(sep)
        .join('/'),
    )
}
