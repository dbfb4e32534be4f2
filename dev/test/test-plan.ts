// Which files hold tests, and in which order and company they run.
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'

const FOLDERS = ['core', 'api', 'gateway', 'worker', 'client', 'mock', 'web', 'edge', 'dev', 'test']

/** A line of a test file by which it asks for the machine to itself, and says why. */
const ALONE = /^\/\/ alone: \S/m
/** A line by which it asks for a process that it shares with the others of this name, and says what they share. */
const COMPANY = /^\/\/ company: (\w+)/m

/**
 * Calls that bring a cluster of test/support/clusters.ts, which lasts as long as its process. An idle one takes a tenth
 * of a core: files that use the same one share a process, so that it runs once, and not beside all others.
 */
const CLUSTERS = [/\bimpatientCluster\(\)/, /\bsharedCluster\(\)/]

/** Files that one process runs, one after the other. */
export type Unit = string[]

export interface TestPlan {
  /** Those that share the machine with each other, the slow ones first. */
  together: Unit[]
  /** Those that run after the others, one at a time. */
  alone: Unit[]
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
  const together = new Map<string, Unit>()
  const alone: Unit[] = []
  for (const file of files) {
    const text = readFileSync(join(root, file), 'utf8')
    const company = COMPANY.exec(text)?.[1] ?? CLUSTERS.find((cluster) => cluster.test(text))?.source ?? file
    if (ALONE.test(text)) alone.push([file])
    else together.set(company, [...(together.get(company) ?? []), file])
  }
  const duration = (unit: Unit) => unit.reduce((sum, file) => sum + (durationsMs[file] ?? Number.POSITIVE_INFINITY), 0)
  // Infinity less Infinity is no number; such units keep their order.
  const bySlowness = (a: Unit, b: Unit) => (duration(a) === duration(b) ? 0 : duration(b) - duration(a))
  return { together: [...together.values()].sort(bySlowness), alone }
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
