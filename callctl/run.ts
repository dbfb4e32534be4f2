/** From what was typed to an exit code: finds the command, runs it, prints its result or why there is none. */
import { parseArgs } from 'node:util'
import type { Config } from '../core/platform/config.ts'
import { ConfigError } from '../core/platform/environment.ts'
import { isDatabaseAway } from '../core/platform/postgres.ts'
import { SERVICE_VERSION } from '../core/platform/service-version.ts'
import { AppError } from '../core/protocol/errors.ts'
import { type Command, type Console, EXIT, UsageError } from './command.ts'
import { calls } from './commands/calls.ts'
import { connections } from './commands/connections.ts'
import { deadLetters } from './commands/dead-letters.ts'
import { drain } from './commands/drain.ts'
import { end } from './commands/end.ts'
import { nodes } from './commands/nodes.ts'
import { timeline } from './commands/timeline.ts'
import { token } from './commands/token.ts'
import { StoreAway, Stores } from './stores.ts'

/** In the order of the list that `callctl --help` shows. */
const COMMANDS: Command[] = [nodes, connections, calls, timeline, end, drain, deadLetters, token]

/** Options that every command has. */
const COMMON = {
  json: { type: 'boolean', about: 'print JSON of a stable shape instead of tables' },
  help: { type: 'boolean', short: 'h', about: 'show this' },
} as const

/** SQLSTATE class 28: Postgres is there and does not let us in (PostgreSQL, appendix A). */
const NOT_LET_IN = /^28/

/** Runs one command; returns the exit code. `config` is asked for once the command is understood. */
export async function runCallctl(args: string[], config: () => Config, to: Console): Promise<number> {
  const say = (text: string) => {
    to.out(text)
    return EXIT.DONE
  }
  const [name, ...rest] = args
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') return say(overview())
  if (name === 'version' || name === '--version') return say(SERVICE_VERSION)
  const command = COMMANDS.find((candidate) => candidate.name === name)
  if (command === undefined) {
    to.err(`callctl: There is no command "${name}". "callctl --help" lists them.`)
    return EXIT.USAGE
  }
  let stores: Stores | undefined
  try {
    const { positionals, values } = parse(command, rest)
    if (values.help === true) return say(helpOf(command))
    stores = new Stores(config(), to)
    const result = await command.run({ positionals, values }, stores)
    // Before anything is said: what was done must be told to all before it is called done.
    await stores.close()
    return say(values.json === true ? JSON.stringify(result.json, null, 2) : result.text)
  } catch (error) {
    await stores?.close().catch(() => {})
    const { text, code } = explain(error, command, stores)
    to.err(`callctl: ${text}`)
    return code
  }
}

function parse(command: Command, args: string[]) {
  const options = { ...command.options, ...COMMON }
  try {
    return parseArgs({ args, options, allowPositionals: true })
  } catch (error) {
    // Node's own sentence names the option.
    throw new UsageError((error as Error).message)
  }
}

function explain(error: unknown, command: Command, stores: Stores | undefined): { text: string; code: number } {
  if (error instanceof UsageError)
    return { text: `${error.message}\nusage: callctl ${command.usage}`, code: EXIT.USAGE }
  if (error instanceof ConfigError) return { text: error.message, code: EXIT.USAGE }
  if (error instanceof StoreAway) return { text: error.message, code: EXIT.STORE_AWAY }
  const { code, message, cause } = error as { code?: unknown; message: string; cause?: unknown }
  const away = error instanceof AppError && error.code === 'SERVICE_UNAVAILABLE'
  if (away || isDatabaseAway(error) || NOT_LET_IN.test(String(code))) {
    const reason = cause instanceof Error ? cause.message : message
    return { text: `Postgres at ${stores?.postgresPlace}: ${reason || String(code)}`, code: EXIT.STORE_AWAY }
  }
  return { text: message, code: EXIT.REFUSED }
}

function overview(): string {
  const width = Math.max(...COMMANDS.map(({ usage }) => usage.length))
  return [
    'callctl <command> [options]   looks into a running deployment of Tchat Calling, and changes a little of it',
    '',
    ...COMMANDS.map(({ usage, summary }) => `  ${usage.padEnd(width)}  ${summary}`),
    '',
    'Every command takes --json and --help. It reads the environment of the service: REDIS_URL, DATABASE_URL and so on.',
    'Exit codes: 0 done, 1 not there or not possible, 2 not understood, 3 a store cannot be reached.',
  ].join('\n')
}

function helpOf({ usage, summary, help, options }: Command): string {
  const all: [string, Command['options'][string]][] = Object.entries({ ...options, ...COMMON })
  const names = all.map(([name, { type }]) => `--${name}${type === 'string' ? ' …' : ''}`)
  const width = Math.max(...names.map((name) => name.length))
  return [
    `usage: callctl ${usage}`,
    '',
    `${summary}.`,
    help,
    '',
    ...all.map(([, { about }], at) => `  ${names[at]?.padEnd(width)}  ${about}`),
  ].join('\n')
}
