/** The metrics as the code defines them, and as docs/metrics.md tells of them. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const root = dirname(dirname(import.meta.dirname))

export interface MetricDefinition {
  name: string
  type: string
  help: string
  labels: string[]
}

export interface DocumentedMetric extends MetricDefinition {
  /** Processes that have it: api, gateway, worker. */
  processes: string[]
}

const TYPES: Record<string, string> = {
  Counter: 'counter',
  MessageCounter: 'counter',
  Gauge: 'gauge',
  Histogram: 'histogram',
  LeanHistogram: 'histogram',
}

/** Labels that a class of metrics brings along. */
const INHERENT: Record<string, string[]> = { MessageCounter: ['type', 'transport'] }

/** `new Counter({ name: …, help: …, labelNames: […] …` up to the registry, which closes every definition. */
const DEFINITION =
  /new (\w*(?:Counter|Gauge|Histogram))(?:<[^>]*>)?\(\{\s*name: '(\w+)',\s*help: '((?:[^'\\]|\\.)*)',([\s\S]*?)\bregist(?:ers|ry)\b/g

/** Every metric that a source of the product makes. */
export function definedMetrics(): MetricDefinition[] {
  const sources = ['api', 'core', 'gateway', 'worker'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
      .map((file) => readFileSync(join(root, folder, file), 'utf8')),
  )
  return sources.flatMap((source) => {
    const constants = new Map([...source.matchAll(/const (\w+) = (\[[^\]]*\])/g)].map(([, name, list]) => [name, list]))
    return [...source.matchAll(DEFINITION)].map(([, kind = '', name = '', help = '', rest = '']) => {
      const list =
        /labelNames: (\[[^\]]*\])/.exec(rest)?.[1] ?? (/\blabelNames,/.test(rest) && constants.get('labelNames'))
      const labels = list ? [...list.matchAll(/'(\w+)'/g)].map(([, label = '']) => label) : []
      return { name, help: help.replaceAll("\\'", "'"), type: TYPES[kind] ?? kind, labels: INHERENT[kind] ?? labels }
    })
  })
}

/** The rows of the table of our own metrics. */
export function documentedMetrics(): DocumentedMetric[] {
  return tableOf('## Metrics of the service').map(
    ([name = '', type = '', labels = '', processes = '', meaning = '']) => ({
      name: name.replaceAll('`', ''),
      type,
      labels: [...labels.replace(/\([^)]*\)/g, '').matchAll(/`(\w+)`/g)].map(([, label = '']) => label),
      processes: processes === 'all' ? ['api', 'gateway', 'worker'] : processes.toLowerCase().split(', '),
      help: meaning,
    }),
  )
}

/** Names in the table of what the library brings. */
export function documentedDefaults(): string[] {
  return tableOf('## Metrics of the process').map(([name = '']) => name.replaceAll('`', ''))
}

function tableOf(heading: string): string[][] {
  const [, section = ''] = readFileSync(join(root, 'docs/metrics.md'), 'utf8').split(`\n${heading}\n`)
  const [table = ''] = section.split('\n## ')
  return table
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '').trim()))
}
