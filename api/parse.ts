/** Request to typed command, or INVALID_REQUEST that names the fields. Nothing here asks who the caller is. */
import type { Request } from 'express'
import { z } from 'zod'
import type { HistoryQuery } from '../core/calls/history-store.ts'
import { DEVICE_ID_RULE, isDeviceId } from '../core/platform/devices.ts'
import { AppError } from '../core/protocol/errors.ts'
import { parseUuid } from '../core/protocol/ids.ts'
import type { DeadLetterQuery } from '../core/webhooks/dead-letters.ts'
import { contextOf } from './request-context.ts'

/** Contract, "Call History": `limit`. */
const HISTORY_LIMIT_DEFAULT = 50
const HISTORY_LIMIT_MAX = 200
/** Postgres counts an OFFSET in 64 bits; nobody has more calls than this. */
const HISTORY_OFFSET_MAX = 2_147_483_647

const uuid = z
  .string('must be a UUID')
  .refine((text) => parseUuid(text) !== undefined, 'must be a UUID')
  .transform((text) => text.toLowerCase())

const deviceId = z.string('must be a string').refine(isDeviceId, DEVICE_ID_RULE)

const initiateBody = z.object({
  caller_id: uuid,
  callee_id: uuid,
  call_type: z.enum(['voice', 'video'], 'must be voice or video'),
  on_glare: z.enum(['reject', 'merge'], 'must be reject or merge').nullish(),
  device_id: deviceId.nullish(),
  decline_ringing: z.boolean('must be true or false').nullish(),
})

const answerBody = z.object({ user_id: uuid, device_id: deviceId.nullish() })

const ringingBody = z.object({ user_id: uuid.nullish() })

const endBody = z.object({
  user_id: uuid.nullish(),
  reason: z
    .enum(['user_hangup', 'connection_failed', 'timeout'], 'must be user_hangup, connection_failed or timeout')
    .nullish(),
  expected_status: z.enum(['connecting', 'active'], 'must be connecting or active').nullish(),
})

const presenceBody = z.object({
  status: z.enum(['online', 'offline'], 'must be online or offline'),
  call_id: uuid.nullish(),
  visibility: z.enum(['everyone', 'contacts', 'nobody'], 'must be everyone, contacts or nobody').nullish(),
  user_id: uuid.nullish(),
})

/** Names for a screen: no control characters, nothing that hides or turns the text around it. */
const demoName = z
  .string('must be a string')
  .transform((text) => text.normalize('NFC').trim().replace(/\s+/g, ' '))
  .pipe(
    z
      .string()
      .regex(
        /^(?=.*[\p{L}\p{N}])[\p{L}\p{M}\p{N}\p{P}\p{S} ]{1,40}$/u,
        'must have 1 to 40 characters, one of them a letter or a digit',
      ),
  )

const signInBody = z.object({ name: demoName })

const wholeNumber = (min: number, max: number) =>
  z
    .string('must be given once')
    .regex(/^\d{1,10}$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`))

const historyQuery = z.strictObject({
  limit: wholeNumber(1, HISTORY_LIMIT_MAX).default(HISTORY_LIMIT_DEFAULT),
  offset: wholeNumber(0, HISTORY_OFFSET_MAX).default(0),
  call_type: z.enum(['voice', 'video'], 'must be voice or video').optional(),
  status: z.enum(['completed', 'failed', 'missed'], 'must be completed, failed or missed').optional(),
  cursor: z.string('must be given once').optional(),
})

const endpointName = z.string('must be a string').min(1, 'must not be empty')

const deadLetterQuery = z.strictObject({
  limit: wholeNumber(1, HISTORY_LIMIT_MAX).default(HISTORY_LIMIT_DEFAULT),
  endpoint: endpointName.optional(),
  cursor: z.string('must be given once').optional(),
})

const replayBody = z.object({ endpoint: endpointName.nullish() })

export function parseInitiate(request: Request) {
  const body = readInitiate(parseJson(request))
  if (body.caller_id === body.callee_id)
    throw invalid([{ field: 'callee_id', message: 'must be another user than caller_id' }])
  return {
    callerId: body.caller_id,
    calleeId: body.callee_id,
    type: body.call_type,
    merges: body.on_glare === 'merge',
    declinesRinging: body.decline_ringing ?? false,
    deviceId: body.device_id ?? undefined,
  }
}

export function parseAnswer(request: Request) {
  const body = read(answerBody, parseJson(request))
  return { userId: body.user_id, deviceId: body.device_id ?? undefined }
}

/** The body is optional: `userId` is undefined where it names nobody. */
export function parseEnd(request: Request) {
  const body = read(endBody, contextOf(request).body === undefined ? {} : parseJson(request))
  return {
    userId: body.user_id ?? undefined,
    reason: body.reason ?? ('user_hangup' as const),
    expectedStatus: body.expected_status ?? undefined,
  }
}

/** The body is optional: undefined where it names nobody. */
export function parseRinging(request: Request): string | undefined {
  return read(ringingBody, contextOf(request).body === undefined ? {} : parseJson(request)).user_id ?? undefined
}

export function parsePresence(request: Request) {
  const body = read(presenceBody, parseJson(request))
  return {
    status: body.status,
    callId: body.call_id ?? undefined,
    visibility: body.visibility ?? undefined,
    userId: body.user_id ?? undefined,
  }
}

export function parseHistoryQuery(request: Request): HistoryQuery {
  const { limit, offset, call_type, status, cursor } = read(historyQuery, { ...request.query })
  return { limit, offset, callType: call_type, status, cursor }
}

export function parseDeadLetterQuery(request: Request): DeadLetterQuery {
  return read(deadLetterQuery, { ...request.query })
}

/** The number of a dead letter in the path, as text: it may be larger than a number of JavaScript. */
export function parseDeadLetterId(request: Request): string {
  const { id } = request.params
  if (typeof id !== 'string' || !/^[1-9]\d{0,17}$/.test(id))
    throw invalid([{ field: 'id', message: 'must be the id of a dead letter' }])
  return id
}

/** The body is optional: without it, and without `endpoint`, every endpoint is meant. */
export function parseReplay(request: Request): string | undefined {
  const body = read(replayBody, contextOf(request).body === undefined ? {} : parseJson(request))
  return body.endpoint ?? undefined
}

/** The name that somebody signs in to the demo with, as it is shown. */
export function parseDemoName(request: Request): string {
  return read(signInBody, parseJson(request)).name
}

/** A UUID in the path. A call's id is noted for the log. */
export function parsePathId(request: Request, name: 'call_id' | 'user_id'): string {
  const id = parseUuid(request.params[name])
  if (id === undefined) throw invalid([{ field: name, message: 'must be a UUID' }])
  if (name === 'call_id') contextOf(request).callId = id
  return id
}

/** The `Idempotency-Key` header: 1 to 255 printable ASCII characters; undefined where there is none. */
export function parseIdempotencyKey(request: Request): string | undefined {
  const key = request.get('idempotency-key')
  if (key !== undefined && !/^[\x20-\x7e]{1,255}$/.test(key))
    throw invalid([{ field: 'Idempotency-Key', message: 'must have 1 to 255 printable ASCII characters' }])
  return key
}

/** @throws INVALID_REQUEST for anything but JSON in UTF-8 */
export function parseJson(request: Request): unknown {
  const bytes = contextOf(request).body
  if (bytes === undefined) throw new AppError('INVALID_REQUEST', 'The request needs a body')
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw new AppError('INVALID_REQUEST', 'The body is not JSON')
  }
}

interface Fault {
  field: string
  message: string
}

function read<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw invalid(result.error.issues.flatMap(faultsOf))
}

/** A wrong `call_type` has a code of its own in the contract, whatever else is wrong with the call. */
function readInitiate(value: unknown): z.infer<typeof initiateBody> {
  const result = initiateBody.safeParse(value)
  if (result.success) return result.data
  const faults = result.error.issues.flatMap(faultsOf)
  const type = faults.find(({ field }) => field === 'call_type')
  if (type === undefined) throw invalid(faults)
  throw invalid([type, ...faults.filter((fault) => fault !== type)], 'INVALID_CALL_TYPE')
}

function faultsOf(issue: z.core.$ZodIssue): Fault[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((field) => ({ field, message: 'is not known' }))
  if (issue.path.length === 0) return [{ field: 'body', message: 'must be a JSON object' }]
  return [{ field: issue.path.join('.'), message: issue.message }]
}

function invalid(fields: Fault[], code: 'INVALID_REQUEST' | 'INVALID_CALL_TYPE' = 'INVALID_REQUEST'): AppError {
  const [first] = fields
  return new AppError(code, first && `${first.field} ${first.message}`, { details: { field: first?.field, fields } })
}
