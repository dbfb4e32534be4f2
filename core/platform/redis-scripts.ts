/** Lua scripts kept as files, loaded once, run by their hash. A script is the only way to change several keys in one step. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'

/** Where every script of the product lies; `prelude.lua` there is put in front of each. */
const FOLDER = new URL('../rooms/lua/', import.meta.url)

/** Names of scripts by hash, for metrics. */
const names = new Map<string, string>()

/** `relay.lua` for its hash or its text; undefined for a script that is not ours. */
export function scriptName(shaOrText: string): string | undefined {
  return names.get(shaOrText)
}

export class RedisScript {
  readonly #text: string
  readonly #sha: string

  /** Reads `<name>.lua`. @throws when there is no such file: a process without its scripts must not start. */
  constructor(name: string) {
    const read = (file: string) => readFileSync(new URL(`${file}.lua`, FOLDER), 'utf8')
    this.#text = `${read('prelude')}\n${read(name)}`
    this.#sha = createHash('sha1').update(this.#text).digest('hex')
    for (const form of [this.#sha, this.#text]) names.set(form, `${name}.lua`)
  }

  /**
   * Runs the script; `args` become ARGV. A Redis that lost its script cache is taught the script again: then it runs
   * behind what was sent meanwhile, so the caller orders what must be in order.
   * @param isAwaited false once the caller has given up: a script that did not run by then never runs
   */
  async run(redis: Redis, args: (string | number)[], isAwaited: () => boolean = () => true): Promise<unknown> {
    try {
      return await redis.evalsha(this.#sha, 0, ...args)
    } catch (error) {
      if (!(error as Error).message.startsWith('NOSCRIPT') || !isAwaited()) throw error
      return redis.eval(this.#text, 0, ...args)
    }
  }
}
