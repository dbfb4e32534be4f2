/** Where browsers call: a cluster with a TURN server and two edges in front of it, and an origin for the pages. */

import type { Cluster } from '../../dev/cluster/cluster.ts'
import { atTheEnd } from '../support/at-the-end.ts'
import { privateCluster } from '../support/clusters.ts'
import { expireRing } from '../support/expire-ring.ts'
import { SLOWNESS } from '../support/patience.ts'
import { type OtherEdge, startOtherEdge } from './other-edge.ts'
import { type PageServer, startPageServer } from './page-server.ts'

export interface Stage {
  readonly cluster: Cluster
  readonly otherEdge: OtherEdge
  readonly pages: PageServer
  /** How long a call rings before nobody has answered it. */
  readonly ringSeconds: number
  /** Has the time be up at which the call that rings at this user was to end. */
  endRing(calleeId: string): Promise<void>
}

/**
 * Nobody waits for it, see `endRing`; but all that a test reads while it rings has to fit, and so has the answer. A ring
 * of 10 s ended under the pointer on a busy machine: the button to answer was gone before it was pressed.
 */
const CALM_RING_SECONDS = 45
/** Credentials end while a call lasts. */
const TURN_TTL_SECONDS = 8

let shared: Promise<Stage> | undefined

/** One for all tests in browsers; whoever kills a part of it waits until that is back. */
export function sharedStage(): Promise<Stage> {
  shared ??= openStage()
  return shared
}

async function openStage(): Promise<Stage> {
  const ringSeconds = Math.round(CALM_RING_SECONDS * SLOWNESS)
  const cluster = await privateCluster({
    turn: true,
    env: {
      RING_TIMEOUT_SECONDS: String(ringSeconds),
      TURN_TTL_SECONDS: String(TURN_TTL_SECONDS),
      // The page, to which all tests sign in from one address.
      DEMO_ENABLED: 'true',
      RATE_LIMIT_SIGN_IN_PER_MINUTE: '1000',
    },
  })
  const [otherEdge, pages] = await Promise.all([startOtherEdge(cluster), startPageServer()])
  atTheEnd(otherEdge.stop)
  atTheEnd(pages.stop)
  const endRing = (calleeId: string) => expireRing(cluster, calleeId)
  return { cluster, otherEdge, pages, ringSeconds, endRing }
}
