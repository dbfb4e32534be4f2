/** What a call has of its client. */
import type { CallType, IceServer } from '../core/protocol/signaling.ts'
import { asCallingError, CallingError } from './errors.ts'
import type { Identity } from './identity.ts'
import { httpOrigin, type Settings } from './options.ts'
import type { RestClient } from './rest-client.ts'

export interface CallContext {
  settings: Settings
  rest: RestClient
  identity: Identity
  /** Whether this client asks at this moment to answer that user's call by calling the user. */
  isMergingWith(userId: string): boolean
  /** The call is over. */
  forget(callId: string): void
}

/** What a call is, from its start on. */
export interface CallFacts {
  id: string
  peerId: string
  type: CallType
  direction: 'outgoing' | 'incoming'
  signalingUrl: string
  /** How long it may ring here, in milliseconds. */
  ringMs?: number
}

/** @throws CallingError `ORIGIN_REFUSED` where a token must not go */
export function assertAllowed({ origins }: Pick<Settings, 'origins'>, target: URL): void {
  const origin = httpOrigin(target)
  if (!origins.has(origin))
    throw new CallingError('ORIGIN_REFUSED', `Tokens are not sent to ${origin}: list it in "origins"`)
}

/**
 * A socket's address with what a handshake needs. The device is the one that REST requests name, so that a renewed
 * token without `device_id` does not make another device of this one.
 * @throws as {@link assertAllowed}, and what the token provider throws
 */
export async function handshakeAddress(
  settings: Settings,
  { deviceId }: Pick<Identity, 'deviceId'>,
  target: URL,
): Promise<URL> {
  assertAllowed(settings, target)
  const address = new URL(target)
  address.protocol = target.protocol.replace(/^http/, 'ws')
  address.searchParams.set('token', await settings.token())
  address.searchParams.set('device_id', deviceId)
  return address
}

/** What the options say, else what the service does; without either a call may still find its way. */
export async function iceServersOf(
  { settings, rest }: Pick<CallContext, 'settings' | 'rest'>,
  failed: (error: CallingError) => void,
): Promise<IceServer[]> {
  if (settings.iceServers !== undefined) return settings.iceServers
  try {
    return (await rest.iceServers()).iceServers
  } catch (error) {
    failed(asCallingError(error, 'NETWORK_ERROR'))
    return []
  }
}
