// What a trial is: a piece of work against a cluster of its own that ends in figures, some of them with a target.
import { type Cluster, type ClusterOptions, startCluster } from '../../dev/cluster/cluster.ts'
import type { LinePlot } from '../report/line-chart.ts'

/** `smoke` shows that the harness works, `short` gives figures within minutes, `full` those that are published. */
export type Profile = 'smoke' | 'short' | 'full'

export interface Figure {
  what: string
  value: number
  unit: string
  /** The target; a figure without one is there to be read and compared. */
  limit?: number
  /** The value must be at least the limit; everything else at most. */
  atLeast?: boolean
  digits?: number
}

/** What a process took of the machine while a trial was under load, in cores. */
export interface Share {
  process: string
  /** The part of the trial, where it has several. */
  during?: string
  cores: number
}

export interface Outcome {
  figures: Figure[]
  /** Sentences for the page: what was seen beside the figures. */
  notes?: string[]
  shares?: Share[]
  plots?: LinePlot[]
}

export interface Trial {
  name: string
  title: string
  /** Sentences: what is done, and what the figures mean. */
  about: string[]
  /** The longest that it may take, in seconds; it is given up after that. */
  deadlineSeconds: Record<Profile, number>
  run(stage: TrialStage): Promise<Outcome>
}

/** Settings of every product process under a trial: the defaults, quiet. No trial depends on the outside world. */
const TRIAL_ENV = { STUN_URLS: 'none', LOG_LEVEL: 'warn', NODE_ENV: 'production' }

/** What a trial works with. Whatever it started is stopped when it is over. */
export class TrialStage {
  readonly profile: Profile
  readonly signal: AbortSignal
  readonly say: (line: string) => void
  readonly #clusters = new Set<Cluster>()

  constructor(profile: Profile, options: { say: (line: string) => void; signal: AbortSignal }) {
    this.profile = profile
    this.say = options.say
    this.signal = options.signal
  }

  pick<T>(sizes: Record<Profile, T>): T {
    return sizes[this.profile]
  }

  async cluster(options: ClusterOptions = {}): Promise<Cluster> {
    const env = { ...TRIAL_ENV, ...options.env }
    const cluster = await startCluster({ restart: false, ...options, env, signal: this.signal })
    this.#clusters.add(cluster)
    return cluster
  }

  async stop(cluster: Cluster): Promise<void> {
    this.#clusters.delete(cluster)
    await cluster.stop()
  }

  /** Says how far it is, every few seconds, until the returned function is called. */
  follow(describe: () => string, everyMs = 3_000): () => void {
    const timer = setInterval(() => this.say(`  ${describe()}`), everyMs)
    return () => clearInterval(timer)
  }

  async strike(): Promise<void> {
    await Promise.all([...this.#clusters].map((cluster) => this.stop(cluster)))
  }
}

/** Runs a trial within its time and leaves nothing behind. */
export async function runTrial(
  trial: Trial,
  profile: Profile,
  { say, signal }: { say: (line: string) => void; signal: AbortSignal },
): Promise<Outcome> {
  const late = AbortSignal.timeout(trial.deadlineSeconds[profile] * 1000)
  const stage = new TrialStage(profile, { say, signal: AbortSignal.any([signal, late]) })
  const aborted = new Promise<never>((_, reject) => {
    const give = () => reject(signal.aborted ? signal.reason : new Error(`${trial.name} took too long`))
    if (stage.signal.aborted) give()
    else stage.signal.addEventListener('abort', give, { once: true })
  })
  try {
    return await Promise.race([trial.run(stage), aborted])
  } finally {
    await stage.strike()
  }
}

/** Whether a figure meets its target; undefined without one. */
export function isReached({ value, limit, atLeast = false }: Figure): boolean | undefined {
  if (limit === undefined) return undefined
  if (!Number.isFinite(value)) return false
  return atLeast ? value >= limit : value <= limit
}
