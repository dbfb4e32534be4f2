/** The arguments of the command. */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Settings } from './settings.ts'

export const USAGE = `usage: calling-conformance <url> --secret <secret> | --tokens <file> [options]

  <url>                    origin of the service, such as http://localhost:8093
  --secret <secret>        the HS256 secret of its tokens: all trials can run
  --tokens <file>          one token a line, each of another user, at least three;
                           what needs tokens of other claims is skipped
  --ring-seconds <n>       how long the service rings (default 45); rings of more than 15 s
                           are not waited for
  --webhook-port <n>       the service sends its webhooks to http://127.0.0.1:<n>/
  --webhook-secret <s>     and signs them with this secret
  --only <text>            trials whose section or title holds this text
  --junit <file>           writes a report for CI
  --json <file>            writes every trial with its section of the contract
  --patience <seconds>     how long a trial waits for what must come (default 10)
  --at-once <n>            trials at the same time (default 4)
  --list                   prints the sections of the contract with their trials, and runs none

exit code: 0 all passed or were skipped, 1 a trial failed, 2 the command line is wrong`

export interface Command {
  settings: Settings
  only?: string
  junit?: string
  json?: string
}

export class UsageError extends Error {}

/** @throws UsageError */
export function parseCommand(args: string[]): Command | 'help' | 'list' {
  const { values, positionals } = parse(args)
  if (values.help) return 'help'
  if (values.list) return 'list'
  const [url, ...others] = positionals
  if (url === undefined || others.length > 0) throw new UsageError('Name one url.')
  const tokens = values.tokens === undefined ? [] : readTokens(values.tokens)
  if (values.secret === undefined && tokens.length < 3)
    throw new UsageError('Give --secret, or --tokens of three users.')
  if ((values['webhook-port'] === undefined) !== (values['webhook-secret'] === undefined))
    throw new UsageError('--webhook-port and --webhook-secret need each other.')
  const webhooks =
    values['webhook-secret'] === undefined
      ? {}
      : { webhooks: { port: numberOf(values, 'webhook-port', 0), secret: values['webhook-secret'] } }
  return {
    settings: {
      origin: originOf(url),
      ...(values.secret === undefined ? {} : { secret: values.secret }),
      tokens,
      ringSeconds: numberOf(values, 'ring-seconds', 45),
      ...webhooks,
      patienceMs: 1000 * numberOf(values, 'patience', 10),
      atOnce: numberOf(values, 'at-once', 4),
    },
    ...(values.only === undefined ? {} : { only: values.only }),
    ...(values.junit === undefined ? {} : { junit: values.junit }),
    ...(values.json === undefined ? {} : { json: values.json }),
  }
}

function parse(args: string[]) {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        secret: text,
        tokens: text,
        'ring-seconds': text,
        'webhook-port': text,
        'webhook-secret': text,
        only: text,
        junit: text,
        json: text,
        patience: text,
        'at-once': text,
        list: flag,
        help: { ...flag, short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function originOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol))
    throw new UsageError(`${url} is no http or https url.`)
  return parsed.origin
}

function numberOf(values: Record<string, unknown>, name: string, otherwise: number): number {
  const value = values[name]
  if (value === undefined) return otherwise
  const number = Number(value)
  if (!Number.isFinite(number) || number <= 0) throw new UsageError(`--${name} must be a number above 0.`)
  return number
}

function readTokens(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
  } catch (error) {
    throw new UsageError(`--tokens: ${(error as Error).message}`)
  }
}
