/** Ordered shutdown: named steps, each with the time it may take, under one deadline for the whole process. */
import type { Logger } from './logger.ts'

/** SIGTERM from an orchestrator, SIGINT from a terminal. SIGPIPE and SIGHUP are left to Node. */
const SIGNALS = ['SIGTERM', 'SIGINT'] as const

interface Step {
  name: string
  run(): Promise<void> | void
}

export class Shutdown {
  readonly #steps: Step[] = []
  readonly #log: Logger
  readonly #deadlineMs: number
  #running: Promise<void> | undefined

  /** `deadlineMs` bounds all steps together; what has not finished by then is abandoned and the process exits with 1. */
  constructor(deadlineMs: number, log: Logger) {
    this.#deadlineMs = deadlineMs
    this.#log = log
  }

  /** Adds a step; steps run in the order in which they were added. */
  add(name: string, run: Step['run']): void {
    this.#steps.push({ name, run })
  }

  /** Runs every step once, however often it is called. A step that fails is logged and does not stop the others. */
  run(): Promise<void> {
    this.#running ??= this.#runSteps()
    return this.#running
  }

  async #runSteps(): Promise<void> {
    for (const { name, run } of this.#steps) {
      const startedAt = performance.now()
      try {
        await run()
        this.#log.info({ step: name, ms: Math.round(performance.now() - startedAt) }, 'shutdown step done')
      } catch (error) {
        this.#log.error({ step: name, err: (error as Error).message }, 'shutdown step failed')
      }
    }
  }

  /**
   * Ends the process by itself on a signal; a second signal ends it at once. A promise that nobody caught is logged and
   * costs nothing else: what it belonged to has failed already, the other peers and requests have not.
   */
  onSignals(): void {
    process.on('unhandledRejection', (reason) => {
      this.#log.error({ err: reason instanceof Error ? reason.stack : String(reason) }, 'unhandled rejection')
    })
    let asked = false
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        if (asked) process.exit(1)
        asked = true
        this.#log.info({ signal }, 'shutting down')
        setTimeout(() => {
          this.#log.error({ deadlineMs: this.#deadlineMs }, 'shutdown deadline passed')
          process.exit(1)
        }, this.#deadlineMs).unref()
        this.run().then(() => process.exit(0))
      })
    }
  }
}
