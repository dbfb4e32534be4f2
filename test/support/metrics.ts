/** The metrics of a cluster's gateways as Prometheus would sum them. */
import type { Cluster } from '../../dev/cluster/cluster.ts'

/** Values by sample: name and labels as they stand in the exposition, without the label `node`. */
export type Samples = Map<string, number>

/** Reads the metrics of all gateways and sums what has the same name and labels. */
export async function gatewayMetrics(cluster: Cluster): Promise<Samples> {
  const samples: Samples = new Map()
  for (const { metrics_port: port } of cluster.description.gateways) {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    for (const line of text.split('\n')) {
      const [, name, labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
      if (name === undefined) continue
      const sample = sampleName(
        name,
        Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, k, v]) => [k, v])),
      )
      samples.set(sample, (samples.get(sample) ?? 0) + Number(value))
    }
  }
  return samples
}

/** How {@link gatewayMetrics} calls a sample, whatever the order of its labels. */
export function sampleName(name: string, labels: Record<string, string | undefined>): string {
  const sorted = Object.entries(labels)
    .filter(([label]) => label !== 'node')
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `${name}{${sorted.map(([label, value]) => `${label}=${value}`).join(',')}}`
}

/** What grew between two readings, of the metrics whose name starts with `prefix`. Buckets are left out. */
export function growth(before: Samples, after: Samples, prefix: string): Record<string, number> {
  const grown = [...after].map(([sample, value]) => [sample, value - (before.get(sample) ?? 0)] as const)
  const wanted = grown.filter(([sample, by]) => sample.startsWith(prefix) && !/_bucket\{/.test(sample) && by !== 0)
  return Object.fromEntries(wanted)
}
