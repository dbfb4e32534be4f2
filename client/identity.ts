/** Who a token speaks for. It is only read here: the service verifies it. */
import { CallingError } from './errors.ts'

export interface Identity {
  userId: string
  /** The device by which the service knows our requests and connections: the token's `device_id`, else ours. */
  deviceId: string
}

/** @throws CallingError `INVALID_TOKEN` for what is no JWT of a user */
export function readIdentity(token: string, ownDevice: string): Identity {
  const claims = readClaims(token)
  if (typeof claims?.sub !== 'string') throw new CallingError('INVALID_TOKEN', 'The token names no user')
  const { device_id: device } = claims
  return { userId: claims.sub.toLowerCase(), deviceId: isDeviceId(device) ? device : ownDevice }
}

/** As the service judges: it ignores a claim of another form, and takes the client's word then. */
function isDeviceId(device: unknown): device is string {
  return typeof device === 'string' && device.length <= 128 && /^[^\p{Cc}\p{Cs}]+$/u.test(device)
}

function readClaims(token: string): Record<string, unknown> | undefined {
  const [, payload = ''] = token.split('.')
  try {
    const bytes = Uint8Array.from(atob(payload.replace(/-/g, '+').replace(/_/g, '/')), (char) => char.charCodeAt(0))
    return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>
  } catch {
    return undefined
  }
}
