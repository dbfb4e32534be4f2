/**
 * What to do where somebody else wrote to our keys: a script fails on a value of the wrong type, and would fail for ever.
 * Everything in Redis may vanish, so what is spoilt is deleted; the nodes write it again as they do after a wipe.
 */
import type { Redis } from 'ioredis'

/** Errors by which Redis refuses a script for reasons of its own; anything else is the fault of what the script read. */
const OWN_REASONS =
  /^(NOSCRIPT|LOADING|READONLY|OOM|BUSY|MASTERDOWN|NOAUTH|NOPERM|MISCONF|NOREPLICAS|CLUSTERDOWN|UNKILLABLE|TRYAGAIN)/

const SHARED_KEYS = { nodes: 'zset', graces: 'zset', inboxes: 'hash', history: 'hash' } as const
const CALL_KEYS = {
  room: 'hash',
  roster: 'hash',
  log: 'list',
  sdp: 'hash',
  ids: 'hash',
  ids0: 'hash',
  cursor: 'hash',
} as const

/** True where a script failed on what it found in the keys. */
export function isSpoilt(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError' && !OWN_REASONS.test(error.message)
}

/** Deletes the shared keys that are of the wrong type, and all keys of the calls that have one. */
export async function deleteWrongTypes(redis: Redis, prefix: string, callIds: Iterable<string>): Promise<void> {
  for (const name of await wrongOnes(redis, Object.entries(SHARED_KEYS), (name) => prefix + name))
    await redis.del(prefix + name)
  for (const callId of callIds) {
    const wrong = await wrongOnes(redis, Object.entries(CALL_KEYS), (kind) => `${prefix}${kind}:${callId}`)
    if (wrong.length > 0) await deleteRoom(redis, prefix, callId)
  }
}

async function wrongOnes(redis: Redis, types: [string, string][], key: (name: string) => string): Promise<string[]> {
  const pipeline = redis.pipeline()
  for (const [name] of types) pipeline.type(key(name))
  const replies = (await pipeline.exec()) ?? []
  return types.flatMap(([name, expected], index) => {
    const type = replies[index]?.[1]
    return type === expected || type === 'none' ? [] : [name]
  })
}

/**
 * Deletes all that Redis has of a call's room. The list of nodes goes with it: every node finds itself unknown at its
 * next beat and writes its peers again, those of this call included.
 */
export async function deleteRoom(redis: Redis, prefix: string, callId: string): Promise<void> {
  await redis.del(`${prefix}nodes`, ...Object.keys(CALL_KEYS).map((kind) => `${prefix}${kind}:${callId}`))
}
