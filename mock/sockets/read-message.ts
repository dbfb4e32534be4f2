/** Messages of clients, read as strictly as the protocol says. */
import { invalidField, MockError } from '../errors.ts'
import { isUuid } from '../ids.ts'
import type { Message } from './connections.ts'

type Check = (value: unknown) => boolean

const text: Check = (value) => typeof value === 'string'
const isAbsent = (value: unknown) => value === undefined || value === null
const states = ['new', 'connecting', 'connected', 'disconnected', 'failed']
const direct = { from: isUuid, to: isUuid }
const own = { user_id: isUuid }

/** The fields of each type beside `type`, `call_id` and `id`. */
const FIELDS: Record<string, Record<string, Check>> = {
  'join-room': own,
  'leave-room': own,
  'ice-servers': own,
  ringing: own,
  offer: { ...direct, sdp: text },
  answer: { ...direct, sdp: text },
  candidate: {
    ...direct,
    candidate: text,
    sdp_mid: (value) => isAbsent(value) || text(value),
    sdp_m_line_index: (value) => isAbsent(value) || (Number.isInteger(value) && Number(value) >= 0),
  },
  'connection-state': { ...own, state: (value) => states.includes(String(value)) },
}

/** @throws INVALID_REQUEST */
export function readMessage(value: unknown): Message {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new MockError('INVALID_REQUEST', 'A message must be an object')
  const message = value as Message
  const fields = FIELDS[message.type]
  if (fields === undefined) throw invalidField('type', 'is none of this protocol')
  const checks = { call_id: isUuid, id: isId, ...fields }
  for (const [field, isRight] of Object.entries(checks))
    if (!isRight(message[field])) throw invalidField(field, 'is missing or wrong')
  return message
}

function isId(value: unknown): boolean {
  if (value === undefined) return true
  if (typeof value === 'number') return Number.isSafeInteger(value)
  return typeof value === 'string' && value.length >= 1 && value.length <= 128 && !/\p{Surrogate}/u.test(value)
}

/** Whether a text of JSON gives a name twice in one object (RFC 7493, 2.3). An escaped name equals its plain form. */
export function repeatsName(json: string): boolean {
  const names: (Set<string> | undefined)[] = []
  const tokens = json.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/g)
  let [last, beforeColon] = ['', '']
  for (const [token] of tokens) {
    if (token === '{') names.push(new Set())
    else if (token === '[') names.push(undefined)
    else if (token === '}' || token === ']') names.pop()
    else if (token === ':') beforeColon = last
    if (token === ':') {
      const known = names.at(-1)
      const name = JSON.parse(beforeColon) as string
      if (known?.has(name)) return true
      known?.add(name)
    }
    last = token
  }
  return false
}
