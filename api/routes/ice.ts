/** STUN and TURN servers and the contract's codecs, in the contract's form (additive endpoint). */
import { Router } from 'express'
import { iceServersFor } from '../../core/platform/ice-servers.ts'
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
    const servers = iceServersFor(platform.config.ice, identityOf(request), new Date())
    response.json({ ...servers, codecs: CODECS } satisfies IceServersResponse)
  })
  return router
}
