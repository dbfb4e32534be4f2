/** Reads what was typed: each function takes the text and its name for the message. */
import { parseUuid } from '../core/protocol/ids.ts'
import { type Input, UsageError } from './command.ts'

/** @throws UsageError for anything but a UUID */
export function readUuid(text: unknown, name: string): string {
  const id = parseUuid(text)
  if (id === undefined) throw new UsageError(`${name} must be a UUID`)
  return id
}

/** The one positional that a command takes, in its own words. @throws UsageError */
export function onlyPositional({ positionals }: Input, name: string): string {
  const [only, ...more] = positionals
  if (only === undefined || more.length > 0) throw new UsageError(`Say one ${name}`)
  return only
}

/** @throws UsageError where there is any positional */
export function noPositional({ positionals: [first] }: Input): void {
  if (first !== undefined) throw new UsageError(`"${first}" is not understood`)
}

/** The text of an option; undefined where it was not given. */
export function readText({ values }: Input, name: string): string | undefined {
  const value = values[name]
  return typeof value === 'string' ? value : undefined
}

/** @throws UsageError for anything but a whole number in the range */
export function readNumber(
  input: Input,
  name: string,
  { min, max, fallback }: { min: number; max: number; fallback: number },
): number {
  const text = readText(input, name)
  if (text === undefined) return fallback
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < min || value > max)
    throw new UsageError(`--${name} must be a whole number from ${min} to ${max}`)
  return value
}

/** @throws UsageError for anything but one of the words */
export function readOneOf<T extends string>(input: Input, name: string, words: readonly T[]): T | undefined {
  const text = readText(input, name)
  if (text === undefined) return undefined
  const found = words.find((word) => word === text)
  if (found === undefined) throw new UsageError(`--${name} must be one of ${words.join(', ')}`)
  return found
}
