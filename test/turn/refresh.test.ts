/** ICE servers over the signaling connection: on request, and again before TURN credentials end. */
import { createHmac } from 'node:crypto'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { joinBoth, newCall, newUser, openChannel } from '../support/calls.ts'
import { privateCluster, sharedCluster } from '../support/clusters.ts'
import { PEER_KINDS } from '../support/connect-peer.ts'
import type { MessageOf } from '../support/inbox.ts'
import type { Peer } from '../support/peer.ts'
import { TurnClient } from './turn-client.ts'

const TTL_SECONDS = 5
const SECRET = 'signs first'

const request = (peer: Peer) => ({ type: 'ice-servers', call_id: peer.callId, user_id: peer.userId })

/** The TURN server of a message, and when its credentials end in ms. */
function turnOf({ iceServers }: MessageOf<'ice-servers'>) {
  const { urls = [], username = '', credential = '' } = iceServers.find((server) => server.credential) ?? {}
  return { url: urls[0] ?? '', username, credential, endsAt: Number.parseInt(username, 10) * 1000 }
}

describe('ice-servers', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(90_000)
    const env = { TURN_TTL_SECONDS: String(TTL_SECONDS), TURN_SECRET: `${SECRET},signs no more` }
    cluster = await privateCluster({ turn: true, edge: false, workers: 0, env })
  })
  after(() => cluster.stop())

  for (const kind of PEER_KINDS) {
    describe(kind, () => {
      it('come to who asks, and again before they end, and are good for the TURN server', async () => {
        const call = await newCall(cluster, { callerClaims: { device_id: 'phone' } })
        const { caller, callee } = await joinBoth(call, { caller: kind, callee: kind })

        const reply = await caller.sendAndAck(request(caller))
        const first = await caller.next('ice-servers')
        const second = await caller.next('ice-servers')

        expect(reply.ok).to.equal(true)
        expect(first).to.include({ call_id: call.id, ttl_seconds: TTL_SECONDS })
        const [was, is] = [turnOf(first), turnOf(second)]
        expect(is.username).to.match(new RegExp(`^\\d+:${caller.userId}:phone$`))
        expect(is.credential).to.equal(createHmac('sha1', SECRET).update(is.username).digest('base64'))
        // By so much later they were made, in whole seconds: before the old ones had ended.
        expect(is.endsAt - was.endsAt).to.be.within(3_000, TTL_SECONDS * 1000)
        const client = await TurnClient.open(is.url)
        expect((await client.allocate(is)).error).to.equal(0)
        client.close()
        // Who has not asked is not told, on neither side.
        expect(callee.all('ice-servers')).to.have.lengthOf(0)
      })

      it('are for joined connections and their own user alone', async () => {
        const call = await newCall(cluster)
        const outside = await call.caller.connect(kind)
        const { callee } = await joinBoth(call, { callee: kind })
        const channel = await openChannel(cluster, newUser(cluster), kind)

        outside.send(request(outside))
        callee.send({ ...request(callee), user_id: callee.otherId })
        channel.send({ ...request(callee), user_id: channel.userId })

        expect((await outside.next('error')).error.code).to.equal('SIGNALING_ERROR')
        expect((await callee.next('error')).error.code).to.equal('FORBIDDEN')
        expect((await channel.next('error')).error.code).to.equal('SIGNALING_ERROR')
        for (const peer of [outside, callee, channel]) expect(peer.all('ice-servers')).to.have.lengthOf(0)
      })
    })
  }

  it('stop with leave-room, and begin again with the next request', async () => {
    const call = await newCall(cluster)
    const { caller, callee } = await joinBoth(call)
    caller.send(request(caller))
    await caller.next('ice-servers')
    caller.leave()

    // Asked later than the caller: its second refresh comes when the caller's first is long overdue.
    callee.send(request(callee))
    for (const _ of [0, 1, 2]) await callee.next('ice-servers')
    expect(caller.all('ice-servers')).to.have.lengthOf(1)

    await caller.join()
    caller.send(request(caller))
    await caller.next('ice-servers')
  }).timeout(30_000)

  it('are those that the API gives', async () => {
    const call = await newCall(cluster)
    const { caller } = await joinBoth(call)

    caller.send(request(caller))
    const { type: _type, call_id: _callId, ...sent } = await caller.next('ice-servers')
    const { codecs: _codecs, ...given } = (await call.caller.user.api.iceServers()).body

    const withoutKeys = ({ iceServers, ...rest }: typeof sent) => ({
      ...rest,
      urls: iceServers.map(({ urls }) => urls),
    })
    expect(withoutKeys(sent)).to.deep.equal(withoutKeys(given))
  })

  it('are an empty list where none is configured', async () => {
    const call = await newCall(await sharedCluster())
    const { caller } = await joinBoth(call)

    caller.send(request(caller))

    expect((await caller.next('ice-servers')).iceServers).to.deep.equal([])
  }).timeout(60_000)
})
