/** Tokens of a key that nobody knows cost the other users nothing, also where the auth service hangs. */
import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import jwt from 'jsonwebtoken'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { privateCluster } from '../support/clusters.ts'
import { connectPeer, PEER_KINDS, refusalOf } from '../support/connect-peer.ts'
import { eventually } from '../support/eventually.ts'
import { nowSeconds } from '../support/tokens.ts'

/** Few places for handshakes, so that few strangers would take them all. */
const HANDSHAKES_AT_ONCE = 4
const STRANGERS = 24

describe('a hung auth service', function () {
  this.timeout(120_000)
  const known = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const unknown = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  let keyServer: Server
  let isHung = false
  let cluster: Cluster

  before(async () => {
    const keys = [{ ...known.publicKey.export({ format: 'jwk' }), kid: 'known' }]
    keyServer = createServer((_request, response) => {
      if (!isHung) response.end(JSON.stringify({ keys }))
    }).listen(0, '127.0.0.1')
    await once(keyServer, 'listening')
    const env = {
      JWT_SECRET: '',
      JWKS_URL: `http://127.0.0.1:${(keyServer.address() as AddressInfo).port}/`,
      HANDSHAKES_AT_ONCE: String(HANDSHAKES_AT_ONCE),
    }
    cluster = await privateCluster({ gateways: 1, apis: 1, workers: 0, edge: false, envFor: () => env })
  })
  after(async () => {
    await cluster.stop()
    keyServer.close()
    keyServer.closeAllConnections()
  })

  function userOf(key: KeyObject, keyid: string) {
    const userId = randomUUID()
    const token = jwt.sign({ sub: userId, exp: nowSeconds() + 600 }, key, { algorithm: 'ES256', keyid })
    return { url: cluster.gateway(0).url, userId, token }
  }

  it('takes no place from a handshake whose key is known, by either transport', async () => {
    for (const kind of PEER_KINDS) await (await connectPeer(kind, userOf(known.privateKey, 'known'))).close()
    isHung = true

    // A busy machine may need longer than the auth service is waited for, and then nobody waits for a moment.
    await eventually(async () => {
      let refused = 0
      const strangers = Array.from({ length: STRANGERS }, async (_, index) => {
        const { code } = await refusalOf(index % 2 === 0 ? 'raw' : 'socketio', userOf(unknown.privateKey, randomUUID()))
        refused += 1
        return code
      })

      for (const kind of PEER_KINDS) await (await connectPeer(kind, userOf(known.privateKey, 'known'))).close()

      const refusedMeanwhile = refused
      expect(new Set(await Promise.all(strangers))).to.deep.equal(new Set(['SERVICE_UNAVAILABLE']))
      // They were let in while every one of the strangers still waited.
      expect(refusedMeanwhile).to.equal(0)
    }, 60_000)
  })
})
