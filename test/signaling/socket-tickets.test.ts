/** Socket tickets: one-time stand-ins for a token in the query of a handshake. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newCall, newUser, openChannel, type Party } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { connectPeer, PEER_KINDS, refusalOf } from '../support/connect-peer.ts'
import { edgeLog, requestsIn } from '../support/edge-log.ts'
import { eventually } from '../support/eventually.ts'
import { nowSeconds } from '../support/tokens.ts'

describe('socket tickets', () => {
  let cluster: Cluster
  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })

  async function ticketOf({ user }: Pick<Party, 'user'>): Promise<string> {
    const { status, body } = await user.api.socketTicket()
    expect(status).to.equal(201)
    return body.ticket
  }

  for (const kind of PEER_KINDS) {
    describe(kind, () => {
      for (const name of ['ticket', 'token'] as const)
        it(`open one call connection and one user channel, as the query's ${name}`, async () => {
          const call = await newCall(cluster)
          const said = (ticket: string) =>
            name === 'ticket' ? { token: undefined, ticket } : { token: ticket, tokenIn: 'query' as const }
          const forCall = said(await ticketOf(call.caller))
          const forChannel = said(await ticketOf(call.caller))

          const peer = await call.caller.joinAs(kind, forCall)
          await openChannel(cluster, call.caller.user, kind, forChannel)

          expect((await peer.sendAndAck(peer.offerMessage('s'))).ok).to.equal(true)
          for (const used of [forCall, forChannel])
            for (const at of [0, 1]) {
              const refused = await refusalOf(kind, call.caller.optionsFor({ ...used, at }))
              expect(refused.code).to.equal('UNAUTHORIZED')
              if (kind === 'raw')
                expect(refused.headers['www-authenticate']).to.equal('Bearer realm="calling", error="invalid_token"')
            }
        })

      it('are used up by a handshake that is refused, too', async () => {
        const call = await newCall(cluster)
        const stranger = newUser(cluster)
        const options = { token: undefined, ticket: await ticketOf({ user: stranger }) }

        expect((await refusalOf(kind, call.caller.optionsFor(options))).code).to.equal('FORBIDDEN')
        expect((await refusalOf(kind, call.caller.optionsFor(options))).code).to.equal('UNAUTHORIZED')
      })

      it('speak for the device of their token', async () => {
        const call = await newCall(cluster, { callerClaims: { device_id: 'phone' } })
        const first = await call.caller.joinAs(kind, { token: undefined, ticket: await ticketOf(call.caller) })

        await call.caller.joinAs(kind, {
          token: undefined,
          ticket: await ticketOf(call.caller),
          device: 'tablet',
          at: 1,
        })

        await first.closed
      })

      it('end their user channel when the token ends', async () => {
        const user = newUser(cluster, { exp: nowSeconds() + 3 })
        const channel = await openChannel(cluster, user, kind, { token: undefined, ticket: await ticketOf({ user }) })

        const { code } = await channel.closed
        if (kind === 'raw') expect(code).to.equal(4401)
        expect(channel.all('error').map(({ error }) => error.code)).to.deep.equal(['UNAUTHORIZED'])
      }).timeout(20_000)

      it('come through the edge, and into no log', async () => {
        const call = await newCall(cluster)
        const transports = kind === 'raw' ? [undefined] : [['websocket' as const], ['polling' as const]]
        for (const transport of transports) {
          const ticket = await ticketOf(call.caller)
          const options = { token: undefined, ticket, at: 'edge' as const, ...(transport && { transports: transport }) }
          await (await call.caller.joinAs(kind, options)).close()
          expect((await refusalOf(kind, call.caller.optionsFor(options))).code).to.equal('UNAUTHORIZED')

          // The edge logs a request when it is over.
          const path = kind === 'raw' ? `/ws/signaling/${call.id}` : '/socket.io/'
          await eventually(() => expect(requestsIn(edgeLog(cluster.runDir)).map((line) => line.path)).to.include(path))
          const folder = join(cluster.runDir, 'logs')
          const logs = readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8'))
          expect(logs.filter((log) => log.includes(ticket))).to.deep.equal([])
        }
      })
    })
  }

  it('of many uses at once let one in', async () => {
    const call = await newCall(cluster)
    const ticket = await ticketOf(call.caller)

    const attempts = await Promise.allSettled(
      Array.from({ length: 12 }, (_, index) => {
        const options = call.caller.optionsFor({ token: undefined, ticket, at: index % 2 })
        return connectPeer(PEER_KINDS[(index >> 1) % 2] ?? 'raw', options)
      }),
    )

    expect(attempts.filter(({ status }) => status === 'fulfilled')).to.have.lengthOf(1)
  })

  it('end by themselves after 30 s, and are not to be found in Redis', async () => {
    const call = await newCall(cluster)
    const redis = new Redis(cluster.description.redis.port, '127.0.0.1')
    try {
      const tickets = async () => (await redis.keys('*ticket:*')).filter((key) => /:ticket:[\w-]{43}$/.test(key))
      const before = new Set(await tickets())
      const asked = Date.now()
      const { body } = await call.caller.user.api.socketTicket()
      expect(body.ttl_seconds).to.equal(30)
      expect(Date.parse(body.expires_at) - asked).to.be.within(29_000, 60_000)
      const keys = (await tickets()).filter((key) => !before.has(key))
      expect(keys).to.have.lengthOf(1)
      const [key = ''] = keys
      expect(key).not.to.contain(body.ticket)
      expect(await redis.get(key)).not.to.contain(body.ticket)
      expect(await redis.pttl(key)).to.be.within(1, 30_000)

      await redis.del(key)

      const options = call.caller.optionsFor({ token: undefined, ticket: body.ticket })
      expect((await refusalOf('raw', options)).code).to.equal('UNAUTHORIZED')
    } finally {
      redis.disconnect()
    }
  })

  it('are given for a token alone, and taken by no REST endpoint', async () => {
    const user = newUser(cluster)
    const ticket = await ticketOf({ user })

    expect((await user.api.as(undefined).socketTicket()).status).to.equal(401)
    expect((await user.api.as(ticket).socketTicket()).status).to.equal(401)
    expect((await user.api.as(ticket).activeCalls(user.id)).status).to.equal(401)
    const made = `wst_${'A'.repeat(43)}`
    for (const kind of PEER_KINDS)
      for (const forged of [made, `${ticket}x`, ticket.slice(0, -1), 'wst_']) {
        const refused = await refusalOf(kind, { url: cluster.gateway(0).url, userId: user.id, ticket: forged })
        expect(refused.code, forged.slice(0, 4)).to.equal('UNAUTHORIZED')
      }
    await openChannel(cluster, user, 'raw', { token: undefined, ticket })
  })
})
