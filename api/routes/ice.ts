/**
 * Which STUN and TURN servers a client may use (additive). TURN credentials follow coturn's `use-auth-secret` (draft
 * "A REST API For Access To TURN Services"): a user name that tells its expiry, and an HMAC over it as the password.
 */
import { createHmac } from 'node:crypto'
import { Router } from 'express'
import type { Config } from '../../core/platform/config.ts'
import type { Identity } from '../../core/platform/tokens.ts'
import type { IceServersResponse } from '../../core/protocol/http.ts'
import { BASE_PATH } from '../base-path.ts'
import type { Guards } from '../guards.ts'
import { identityOf } from '../request-context.ts'
import type { ApiServices } from '../services.ts'

/** Contract, "Supported Codecs", in order of preference. */
const CODECS = { audio: ['OPUS (48kHz)', 'G.722', 'PCMU', 'PCMA'], video: ['VP8', 'VP9', 'H.264'] }

export function iceRoutes({ platform }: ApiServices, { authenticate, limit }: Guards): Router {
  const router = Router({ caseSensitive: true })
  router.route(`${BASE_PATH}/webrtc/ice-servers`).get(authenticate, limit(), (request, response) => {
    response.json(iceServersFor(platform.config.ice, identityOf(request), new Date()))
  })
  return router
}

/** Credentials are valid for `turnTtlSeconds` from `now`; asking again during a call refreshes them. */
export function iceServersFor(
  config: Config['ice'],
  identity: Pick<Identity, 'userId' | 'deviceId'>,
  now: Date,
): IceServersResponse {
  const iceServers: IceServersResponse['iceServers'] = []
  if (config.stunUrls.length > 0) iceServers.push({ urls: config.stunUrls })
  if (config.turnUrls.length > 0) {
    const expiresAtSeconds = Math.floor(now.getTime() / 1000) + config.turnTtlSeconds
    const username = [expiresAtSeconds, identity.userId, identity.deviceId]
      .filter((part) => part !== undefined)
      .join(':')
    // coturn knows no other hash than SHA-1 here.
    const credential = createHmac('sha1', config.turnSecret).update(username).digest('base64')
    iceServers.push({ urls: config.turnUrls, username, credential })
  }
  return { iceServers, ttl_seconds: config.turnTtlSeconds, codecs: CODECS }
}
