import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import jwt from 'jsonwebtoken'
import { isUuid } from '../../core/protocol/ids.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newCall, newUser, openChannel, type TestCall } from '../support/calls.ts'
import { ALLOWED_ORIGIN, impatientCluster, sharedCluster, WEB_VIEW_ORIGINS } from '../support/clusters.ts'
import { connectPeer, PEER_KINDS, type PeerKind, refusalOf } from '../support/connect-peer.ts'
import type { PeerOptions, Refused } from '../support/peer.ts'
import { mintManagerToken, mintToken, nowSeconds } from '../support/tokens.ts'

/** Both transports say the same, each in its way. */
function expectRefusal(kind: PeerKind, refused: Refused, status: number, code: string): void {
  expect(refused.code, refused.message).to.equal(code)
  if (kind === 'socketio') {
    expect(refused.data).to.include({ code })
    expect((refused.data as { message: unknown }).message)
      .to.be.a('string')
      .that.is.not.equal('')
    return
  }
  expect(refused.status).to.equal(status)
  expect(refused.headers['content-type']).to.match(/^application\/json/)
  expect(isUuid(refused.body?.request_id)).to.equal(true)
  expect(new Date(refused.body?.timestamp ?? '').toISOString()).to.equal(refused.body?.timestamp)
  expect(refused.body?.error.message).to.be.a('string').that.is.not.equal('')
}

describe('signaling handshake', () => {
  let cluster: Cluster
  let call: TestCall

  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })
  // One for each test: it rings for 45 s, and a busy machine may take longer for all of them.
  beforeEach(async () => {
    call = await newCall(cluster)
  })

  const badTokens = (): Record<string, string | undefined> => ({
    'no token': undefined,
    'an empty token': '',
    'a token that is none': 'nonsense',
    'another secret': mintToken('another-secret-that-is-long-enough', { sub: call.caller.id }),
    'an expired token': mintToken(cluster.jwtSecret, { sub: call.caller.id, exp: nowSeconds() - 10 }),
    'a sub that is no UUID': mintToken(cluster.jwtSecret, { sub: 'alice' }),
    'no exp': jwt.sign({ sub: call.caller.id }, cluster.jwtSecret),
    'alg none': jwt.sign({ sub: call.caller.id, exp: nowSeconds() + 60 }, '', { algorithm: 'none' }),
    'another algorithm': jwt.sign({ sub: call.caller.id, exp: nowSeconds() + 60 }, cluster.jwtSecret, {
      algorithm: 'HS512',
    }),
  })

  for (const kind of PEER_KINDS) {
    describe(kind, () => {
      const refusal = (options: Partial<PeerOptions>) => refusalOf(kind, call.caller.optionsFor(options))

      for (const name of [
        'no token',
        'an empty token',
        'a token that is none',
        'another secret',
        'an expired token',
        'a sub that is no UUID',
        'no exp',
        'alg none',
        'another algorithm',
      ]) {
        it(`refuses ${name} with UNAUTHORIZED`, async () => {
          expectRefusal(kind, await refusal({ token: badTokens()[name] }), 401, 'UNAUTHORIZED')
        })
      }

      it('refuses a user channel without a token too', async () => {
        const refused = await refusalOf(kind, { url: cluster.gateway(0).url, userId: call.caller.id })

        expectRefusal(kind, refused, 401, 'UNAUTHORIZED')
      })

      it('refuses whoever is not in the call with FORBIDDEN', async () => {
        const stranger = newUser(cluster)

        expectRefusal(kind, await refusal({ token: stranger.token }), 403, 'FORBIDDEN')
      })

      it('opens no call of others to a backend', async () => {
        const token = mintManagerToken(cluster.jwtSecret)

        expectRefusal(kind, await refusal({ token }), 403, 'FORBIDDEN')
      })

      it('refuses an unknown call with CALL_NOT_FOUND', async () => {
        expectRefusal(kind, await refusal({ callId: randomUUID() }), 404, 'CALL_NOT_FOUND')
      })

      it('refuses a call id that is no UUID with INVALID_REQUEST', async () => {
        expectRefusal(kind, await refusal({ callId: 'not-a-uuid' }), 400, 'INVALID_REQUEST')
      })

      it('asks for the token before it looks at the call', async () => {
        const refused = await refusal({ callId: 'not-a-uuid', token: undefined })

        expectRefusal(kind, refused, 401, 'UNAUTHORIZED')
      })

      it('refuses a call that is over with CALL_ALREADY_ENDED, strangers with FORBIDDEN as before', async () => {
        const ended = await newCall(cluster)
        await ended.end()

        for (const at of [0, 1]) {
          const refused = await refusalOf(kind, ended.callee.optionsFor({ at }))
          expectRefusal(kind, refused, 409, 'CALL_ALREADY_ENDED')
        }
        const stranger = await refusalOf(kind, ended.callee.optionsFor({ token: newUser(cluster).token }))
        expectRefusal(kind, stranger, 403, 'FORBIDDEN')
      })

      it('takes a call id and a user id in any letter case', async () => {
        const peer = await call.caller.connect(kind, { callId: call.id.toUpperCase() })

        const { joined } = await peer.join()
        expect(joined).to.include({ call_id: call.id, user_id: call.caller.id })
      })

      for (const tokenIn of ['query', 'header', ...(kind === 'socketio' ? (['auth'] as const) : [])] as const) {
        it(`takes the token from the ${tokenIn}`, async () => {
          const peer = await call.caller.connect(kind, { tokenIn })

          expect((await peer.join()).joined.participants).to.include(call.caller.id)
        })
      }

      it('lets in the pages of the configured origins, and clients that are no page', async () => {
        const strict = await impatientCluster()
        const strictCall = await newCall(strict)
        const from = (origin: string | undefined) =>
          strictCall.caller.optionsFor({ headers: origin === undefined ? {} : { origin } })

        const refused = await refusalOf(kind, from('https://evil.example.com'))
        if (kind === 'raw') expectRefusal(kind, refused, 403, 'FORBIDDEN')
        await (await connectPeer(kind, from(ALLOWED_ORIGIN))).join()
        await (await connectPeer(kind, from(undefined))).join()
      }).timeout(60_000)

      it('lets in the service’s own origin, which native clients send, and web views that are listed', async () => {
        const strict = await impatientCluster()
        const strictCall = await newCall(strict)
        const own = strict.env.PUBLIC_URL ?? ''
        for (const origin of [own, own.replace('http', 'ws'), ...WEB_VIEW_ORIGINS]) {
          const peer = await connectPeer(kind, strictCall.caller.optionsFor({ headers: { origin } }))
          await peer.join()
          await peer.close()
        }
      }).timeout(60_000)
    })
  }

  it('answers 404 NOT_FOUND for a path that does not exist, before it asks for a token', async () => {
    for (const path of ['/ws/nothing', '/ws/', '/ws/signaling/', `/ws/signaling/${call.id}/more`, '/elsewhere']) {
      const refused = await refusalOf('raw', call.caller.optionsFor({ path, token: undefined }))
      expectRefusal('raw', refused, 404, 'NOT_FOUND')
    }
  })

  it('answers the same through the edge', async () => {
    const at = 'edge' as const
    const missing = await refusalOf('raw', call.caller.optionsFor({ at, token: undefined }))
    expectRefusal('raw', missing, 401, 'UNAUTHORIZED')
    const unknown = await refusalOf('raw', call.caller.optionsFor({ at, callId: randomUUID() }))
    expectRefusal('raw', unknown, 404, 'CALL_NOT_FOUND')
    const elsewhere = await refusalOf('raw', call.caller.optionsFor({ at, path: '/ws/nothing' }))
    expectRefusal('raw', elsewhere, 404, 'NOT_FOUND')
    const socketio = await refusalOf('socketio', call.caller.optionsFor({ at, token: 'nonsense' }))
    expectRefusal('socketio', socketio, 401, 'UNAUTHORIZED')
  })

  it('lets a page read the polling answers where its origin is allowed, and only there', async () => {
    const strict = await impatientCluster()
    const allowedFor = async (origin: string) => {
      const url = `${strict.gateway(0).url}/socket.io/?EIO=4&transport=polling`
      const response = await fetch(url, { headers: { origin } })
      await response.arrayBuffer()
      return response.headers.get('access-control-allow-origin')
    }

    expect(await allowedFor(ALLOWED_ORIGIN)).to.equal(ALLOWED_ORIGIN)
    expect(await allowedFor('https://evil.example.com')).not.to.be.oneOf(['https://evil.example.com', '*'])
  }).timeout(60_000)

  it('answers a handshake that is broken HTTP-wise without harm', async () => {
    const response = await fetch(`${cluster.gateway(0).url}/ws/signaling/${call.id}`, {
      headers: { connection: 'keep-alive' },
    })

    expect(response.status).to.be.within(400, 499)
    expect((await response.json()) as object).to.have.nested.property('error.code')
    await openChannel(cluster, call.caller.user)
  })
})
