/** One more edge in front of a cluster that others use as well, with settings of its own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { Edge } from '../../dev/cluster/edge.ts'
import { findFreePort } from '../../dev/cluster/ports.ts'
import type { SourceLimits } from '../../edge/source-limits.ts'
import { eventually } from './eventually.ts'

export interface ExtraEdge {
  url: string
  stop(): Promise<void>
}

export async function startExtraEdge(
  { description }: Cluster,
  options: { maxConnections?: number; sourceLimits?: SourceLimits; origins?: string[] } = {},
): Promise<ExtraEdge> {
  const runDir = mkdtempSync(join(tmpdir(), 'tchat-calling-edge-'))
  const described = (members: { name: string; port: number; metrics_port: number }[]) =>
    members.map(({ name, port, metrics_port }) => ({ name, host: '127.0.0.1', port, checkPort: metrics_port }))
  const servers = { apis: described(description.api), gateways: described(description.gateways) }
  const edge = await Edge.create({ ...options, port: await findFreePort(), tls: false }, servers, {
    runDir,
    restart: false,
  })
  edge.process.start()
  await eventually(() => edge.checkReady(), 20_000)
  return {
    url: edge.url,
    stop: async () => {
      await edge.process.stop(2_000)
      await edge.process.close()
      rmSync(runDir, { recursive: true, force: true })
    },
  }
}
