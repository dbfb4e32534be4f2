/**
 * The clusters that tests talk to: one for the whole run, started by whoever needs it first, and private ones for tests
 * that break things or need other settings. All of them are real processes, real stores and a real edge.
 */
import { type Cluster, type ClusterOptions, startCluster } from '../../dev/cluster/cluster.ts'

/** No test may depend on the outside world. */
const BASE_ENV = { STUN_URLS: 'none' }

let shared: Promise<Cluster> | undefined
let impatient: Promise<Cluster> | undefined
const running = new Set<Cluster>()

/** Two gateways, two APIs, a worker and the edge, with the product's defaults. Only for tests that leave it as it is. */
export function sharedCluster(): Promise<Cluster> {
  shared ??= unlessFailed(privateCluster({ gateways: 2, apis: 2, workers: 1 }), () => {
    shared = undefined
  })
  return shared
}

/** The only pages that may connect to {@link impatientCluster}, beside web views, opaque origins and its own. */
export const ALLOWED_ORIGIN = 'https://calls.example.com'
export const WEB_VIEW_ORIGINS = ['capacitor://localhost', 'ionic://localhost', 'file://', 'null']
export const GRACE_MS = 1_000

/** As {@link sharedCluster}, with deadlines that a test can wait for and a list of allowed origins. */
export function impatientCluster(): Promise<Cluster> {
  const options: ClusterOptions = {
    edge: false,
    env: {
      RECONNECT_GRACE_SECONDS: String(GRACE_MS / 1000),
      PING_INTERVAL_SECONDS: '0.25',
      PING_TIMEOUT_SECONDS: '2',
      CORS_ORIGINS: [ALLOWED_ORIGIN, ...WEB_VIEW_ORIGINS].join(','),
    },
  }
  impatient ??= unlessFailed(privateCluster(options), () => {
    impatient = undefined
  })
  return impatient
}

/** A start that failed concerns the file that asked for it; the next one starts another. */
function unlessFailed(starting: Promise<Cluster>, forget: () => void): Promise<Cluster> {
  starting.catch(forget)
  return starting
}

/** A cluster of one's own; stop it in `after`. */
export async function privateCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = await startCluster({ ...options, env: { ...BASE_ENV, ...options.env } })
  running.add(cluster)
  return {
    ...cluster,
    // A spread would read it once; it changes with every restart.
    get description() {
      return cluster.description
    },
    async stop() {
      running.delete(cluster)
      await cluster.stop()
    },
  }
}

/** Called once, when the last test is over. */
export async function stopAllClusters(): Promise<void> {
  await Promise.all([...running].map((cluster) => cluster.stop()))
  running.clear()
}
