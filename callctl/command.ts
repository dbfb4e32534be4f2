/** What every command of callctl is made of, and how it says that something is wrong. */
import type { ParseArgsConfig } from 'node:util'
import type { Stores } from './stores.ts'

/** Where a command writes: results to `out`, everything else to `err`. Whole lines without their end. */
export interface Console {
  out(text: string): void
  err(text: string): void
}

/** Exit codes, documented in docs/callctl.md. */
export const EXIT = { DONE: 0, REFUSED: 1, USAGE: 2, STORE_AWAY: 3 } as const

export interface Input {
  positionals: string[]
  values: Record<string, string | boolean | undefined>
}

export interface Result {
  /** What `--json` prints: snake_case, a stable shape. */
  json: unknown
  /** What people read. */
  text: string
}

export interface Command {
  name: string
  /** After `callctl `, on one line. */
  usage: string
  /** One sentence without its full stop, for the list of commands. */
  summary: string
  /** What `--help` says beside usage and options. */
  help: string
  /** Each with a description, for `--help`. */
  options: Record<string, NonNullable<ParseArgsConfig['options']>[string] & { about: string }>
  /** @throws UsageError, StoreAway, AppError, Refusal */
  run(input: Input, stores: Stores): Promise<Result>
}

/** The command was not understood; its usage is shown beside the message. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What was asked for is not there, or could not be done. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
}
