/** Fields of bodies and queries, read strictly. */
import { invalidField, MockError } from '../errors.ts'
import { isDeviceId, isUuid } from '../ids.ts'

export type Body = Record<string, unknown>

/** A required id, in lower case. @throws INVALID_REQUEST */
export function uuidField(body: Body, field: string): string {
  const value = body[field]
  if (!isUuid(value)) throw invalidField(field, 'must be a UUID')
  return value.toLowerCase()
}

/** A field that may be left out or null. @throws INVALID_REQUEST */
export function optionalUuid(body: Body, field: string): string | undefined {
  return body[field] === undefined || body[field] === null ? undefined : uuidField(body, field)
}

export function optionalDevice(body: Body): string | undefined {
  const { device_id } = body
  if (device_id === undefined || device_id === null) return undefined
  if (!isDeviceId(device_id)) throw invalidField('device_id', 'must be 1 to 128 characters')
  return device_id
}

/** One of these words; `otherwise` where the field is left out or null. @throws INVALID_REQUEST */
export function wordField<const W extends string, O>(
  body: Body,
  field: string,
  words: readonly W[],
  otherwise: O,
): W | O {
  const value = body[field]
  if (value === undefined || value === null) return otherwise
  if (!words.includes(value as W)) throw invalidField(field, `must be one of ${words.join(', ')}`)
  return value as W
}

export function flagField(body: Body, field: string): boolean {
  const value = body[field]
  if (value === undefined || value === null) return false
  if (typeof value !== 'boolean') throw invalidField(field, 'must be true or false')
  return value
}

export function callTypeField(body: Body): 'voice' | 'video' {
  const { call_type } = body
  if (call_type !== 'voice' && call_type !== 'video') {
    const facts = { field: 'call_type', fields: [{ field: 'call_type', message: 'must be voice or video' }] }
    throw new MockError('INVALID_CALL_TYPE', 'call_type must be voice or video', { details: facts })
  }
  return call_type
}

/** An integer of a query. @throws INVALID_REQUEST */
export function integerOf(query: URLSearchParams, name: string, range: [number, number], otherwise: number): number {
  const text = query.get(name)
  if (text === null) return otherwise
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= range[0] && value <= range[1])) throw invalidField(name, `must be ${range[0]} to ${range[1]}`)
  return value
}

export function knownNames(query: URLSearchParams, names: readonly string[]): void {
  for (const name of query.keys()) if (!names.includes(name)) throw invalidField(name, 'is no parameter of this query')
}
