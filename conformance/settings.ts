/** What a run is told: the command line in full, as one value that the process of the trials reads. */

/** What only some targets offer. A trial that needs something else is skipped, and says what it needs. */
export type Capability =
  /** Tokens of any claims can be minted: for new users, other devices, backends, and tokens that must be refused. */
  | 'secret'
  /** Rings end within 15 s. */
  | 'short-rings'
  /** The target sends its webhooks to this run. */
  | 'webhooks'

export interface Settings {
  /** The origin of REST and sockets, without a path: `http://localhost:8093`. */
  origin: string
  /** The secret of HS256 tokens; without it `tokens` are all that there is. */
  secret?: string
  /** One token a user. */
  tokens: string[]
  /** How long an unanswered ring lasts at the target, in seconds. */
  ringSeconds: number
  /** Where the target sends webhooks to, and what it signs them with. */
  webhooks?: { port: number; secret: string }
  /** How long a trial waits for what must come, in milliseconds. */
  patienceMs: number
  /** Trials that run at the same time. */
  atOnce: number
}

/** A ring that lasts longer is not waited for. */
export const SHORT_RING_SECONDS = 15

/** The environment variable that carries the settings, as JSON. */
export const SETTINGS_VARIABLE = 'CALLING_CONFORMANCE'

/** What each capability needs, for the report. */
export const NEEDS: Record<Capability, string> = {
  secret: '--secret',
  'short-rings': `--ring-seconds of at most ${SHORT_RING_SECONDS}`,
  webhooks: '--webhook-port and --webhook-secret',
}

export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const text = env[SETTINGS_VARIABLE]
  if (text === undefined) throw new Error(`${SETTINGS_VARIABLE} is not set: start the trials by the command`)
  return JSON.parse(text) as Settings
}

/** The capability that the target lacks, if it lacks one of those. */
export function missing(settings: Settings, needs: readonly Capability[]): Capability | undefined {
  const offered: Record<Capability, boolean> = {
    secret: settings.secret !== undefined,
    'short-rings': settings.ringSeconds <= SHORT_RING_SECONDS,
    webhooks: settings.webhooks !== undefined,
  }
  return needs.find((need) => !offered[need])
}
