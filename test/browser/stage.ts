/** Where browsers call: a cluster with a TURN server and two edges in front of it, and an origin for the pages. */
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { atTheEnd } from '../support/at-the-end.ts'
import { privateCluster } from '../support/clusters.ts'
import { type OtherEdge, startOtherEdge } from './other-edge.ts'
import { type PageServer, startPageServer } from './page-server.ts'

export interface Stage {
  readonly cluster: Cluster
  readonly otherEdge: OtherEdge
  readonly pages: PageServer
}

/** Long enough to answer on a busy machine, short enough to wait for. */
const RING_SECONDS = 10
/** Credentials end while a call lasts. */
const TURN_TTL_SECONDS = 8

let shared: Promise<Stage> | undefined

/** One for all tests in browsers; whoever kills a part of it waits until that is back. */
export function sharedStage(): Promise<Stage> {
  shared ??= openStage()
  return shared
}

async function openStage(): Promise<Stage> {
  const cluster = await privateCluster({
    turn: true,
    env: { RING_TIMEOUT_SECONDS: String(RING_SECONDS), TURN_TTL_SECONDS: String(TURN_TTL_SECONDS) },
  })
  const [otherEdge, pages] = await Promise.all([startOtherEdge(cluster), startPageServer()])
  atTheEnd(otherEdge.stop)
  atTheEnd(pages.stop)
  return { cluster, otherEdge, pages }
}
