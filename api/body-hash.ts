/** Hashes the meaning of a body, so that an Idempotency-Key is bound to its content and not to its spelling. */
import { createHash } from 'node:crypto'

/**
 * Equal for bodies of an initiate that say the same, however they are spaced and ordered: ids in any letter case, and
 * an optional field that is left out, null or its default. Hashes of lower-case bodies stay what they were: keys are kept for a day.
 */
export function hashInitiate(body: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(plainInitiate(body))))
    .digest('hex')
}

function plainInitiate(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body
  const { on_glare, decline_ringing, device_id, ...rest } = body as Record<string, unknown>
  for (const name of ['caller_id', 'callee_id']) {
    const id = rest[name]
    if (typeof id === 'string') rest[name] = id.toLowerCase()
  }
  const given = {
    on_glare: on_glare === 'reject' ? null : on_glare,
    decline_ringing: decline_ringing || null,
    device_id,
  }
  const said = Object.entries(given).filter(([, value]) => value !== null && value !== undefined)
  return { ...rest, ...Object.fromEntries(said) }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return entries.map(([key, member]) => [key, sorted(member)])
}
