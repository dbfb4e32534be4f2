/** Which device a request or a connection comes from: one order of sources for every door. Pure. */
import { AppError } from '../protocol/errors.ts'

/** Longest device id, in UTF-16 units; it is an index key and travels in every status. */
export const MAX_DEVICE_ID_LENGTH = 128

/** What {@link isDeviceId} accepts, for error messages. */
export const DEVICE_ID_RULE = `must have 1 to ${MAX_DEVICE_ID_LENGTH} characters and neither control characters nor lone surrogates`

/** Not empty, not longer than the limit, without control characters (Postgres stores no NUL) and lone surrogates (no UTF-8). */
export function isDeviceId(text: string): boolean {
  return text.length <= MAX_DEVICE_ID_LENGTH && /^[^\p{Cc}\p{Cs}]+$/u.test(text)
}

/**
 * The device: the token's `device_id`, else the client's own `device_id` (request body or handshake). Undefined where
 * neither names one: then each connection is its own device. A token's `jti` names the token and changes with each
 * renewal (RFC 7519 section 4.1.7), so that it never names a device.
 */
export function deviceOf(identity: { deviceId: string | undefined }, said: string | undefined): string | undefined {
  return identity.deviceId ?? said
}

/**
 * The `device_id` of a handshake; undefined where it is absent or empty.
 * @throws INVALID_REQUEST where it cannot be kept, as for a request body: a device that was silently dropped would be
 * locked out of the call that it has answered
 */
export function readDeviceId(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined
  if (isDeviceId(text)) return text
  throw new AppError('INVALID_REQUEST', `device_id ${DEVICE_ID_RULE}`, { details: { field: 'device_id' } })
}
