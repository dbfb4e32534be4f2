/**
 * A second edge in front of the same cluster, which takes each gateway for the other one. An edge leads both peers of a
 * call to one gateway; peers that come by these two edges meet on two different ones, and each edge still leaves a
 * gateway that is dead.
 */
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { Edge } from '../../dev/cluster/edge.ts'
import { findFreePort } from '../../dev/cluster/ports.ts'
import { makeRunDir } from '../../dev/cluster/run-dir.ts'
import type { EdgeServer } from '../../edge/render.ts'
import { eventually } from '../support/eventually.ts'

const STOP_DEADLINE_MS = 5_000

export interface OtherEdge {
  readonly url: string
  stop(): Promise<void>
}

/** Returns once it serves. */
export async function startOtherEdge(cluster: Cluster): Promise<OtherEdge> {
  const { api, gateways } = cluster.description
  const servers = (members: typeof gateways): EdgeServer[] =>
    members.map(({ name, port, metrics_port: checkPort }) => ({ name, host: '127.0.0.1', port, checkPort }))
  // Whether servers are told apart by their names or by their order: both lead elsewhere.
  const behind = servers(gateways)
  const turned = behind.map((server, index) => ({ ...server, name: behind.at(-1 - index)?.name ?? server.name }))
  const runDir = await makeRunDir(undefined)
  const port = await findFreePort()
  const behindIt = { apis: servers(api), gateways: turned.reverse() }
  const edge = await Edge.create({ port, tls: false }, behindIt, { runDir: runDir.path, restart: true })
  const url = `http://127.0.0.1:${port}`
  const stop = async () => {
    await edge.process.stop(STOP_DEADLINE_MS)
    await edge.process.close()
    runDir.leave()
  }
  try {
    edge.process.start()
    await eventually(async () => {
      const response = await fetch(`${url}/health`)
      if (!response.ok) throw new Error(`The second edge says ${response.status}`)
    })
  } catch (error) {
    await stop()
    throw error
  }
  return { url, stop }
}
