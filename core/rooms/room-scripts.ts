/** Runs the scripts of a room, and repairs what they fail on. */
import { type GuardedRedis, within } from '../platform/redis.ts'
import { RedisScript } from '../platform/redis-scripts.ts'
import { deleteRoom, deleteWrongTypes, isSpoilt } from './room-repair.ts'

/** Longest wait for a script's reply before the room counts as out of reach. */
export const REPLY_TIMEOUT_MS = 2000

type ScriptName = 'relay' | 'join' | 'leave' | 'tail' | 'beat' | 'confirm' | 'drop'

export class RoomScripts {
  readonly #redis: GuardedRedis
  readonly #prefix: string
  readonly #scripts: Record<ScriptName, RedisScript> = {
    relay: new RedisScript('relay'),
    join: new RedisScript('join'),
    leave: new RedisScript('leave'),
    tail: new RedisScript('tail'),
    beat: new RedisScript('beat'),
    confirm: new RedisScript('confirm'),
    drop: new RedisScript('drop'),
  }

  constructor(redis: GuardedRedis, prefix: string) {
    this.#redis = redis
    this.#prefix = prefix
  }

  /** Runs a script about calls; what of their keys is spoilt is deleted first, and then all of them. */
  async run(script: ScriptName, callIds: string[], args: (string | number)[]): Promise<unknown> {
    try {
      return await this.#attempt(script, args)
    } catch (error) {
      if (!isSpoilt(error)) throw error
      await deleteWrongTypes(this.#redis, this.#prefix, callIds)
    }
    try {
      return await this.#attempt(script, args)
    } catch (error) {
      const [callId, ...others] = callIds
      if (!isSpoilt(error) || callId === undefined || others.length > 0) throw error
      await deleteRoom(this.#redis, this.#prefix, callId)
      return this.#attempt(script, args)
    }
  }

  /** Every script is told which server this connection leads to; see enter() in prelude.lua. */
  #attempt(script: ScriptName, args: (string | number)[]): Promise<unknown> {
    const all = [this.#prefix, ...args, this.#redis.history]
    const lateAt = performance.now() + REPLY_TIMEOUT_MS
    const isAwaited = () => performance.now() < lateAt
    return within(REPLY_TIMEOUT_MS, this.#scripts[script].run(this.#redis, all, isAwaited))
  }
}
