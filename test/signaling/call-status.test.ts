import { expect } from 'chai'
import { Redis } from 'ioredis'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { joinBoth, newCall, openChannel } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { PEER_KINDS, refusalOf } from '../support/connect-peer.ts'
import { eventually } from '../support/eventually.ts'
import type { MessageOf } from '../support/inbox.ts'
import type { Peer } from '../support/peer.ts'

/** Decisions, "Signaling": after a call is over its connections are closed within this. */
const CLOSED_WITHIN_MS = 5_000

const isStatus = (status: string) => (message: { type: string; status?: string }) =>
  message.type === 'call-status' && message.status === status

function expectRising(peer: Peer): void {
  const versions = peer.all('call-status').map(({ version }) => version)
  expect(versions).to.deep.equal([...versions].sort((a, b) => a - b))
}

/** Nothing comes after the status that ends a call, and nothing of what came before was refused. */
function expectLast(peer: Peer, status: string): void {
  expect(peer.received.at(-1)).to.include({ type: 'call-status', status })
  expect(peer.all('error')).to.have.lengthOf(0)
}

async function closedInTime(peer: Peer): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`Not closed within ${CLOSED_WITHIN_MS} ms`)), CLOSED_WITHIN_MS)
  })
  const closing = await Promise.race([peer.closed, late]).finally(() => clearTimeout(timer))
  if (peer.kind === 'raw') expect(closing.code).to.equal(1000)
  else expect(closing.reason).to.equal('io server disconnect')
}

describe('call-status', () => {
  let cluster: Cluster
  let redis: Redis

  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
    redis = new Redis(cluster.description.redis.port, '127.0.0.1')
  })
  after(() => redis.disconnect())

  for (const kind of PEER_KINDS) {
    describe(kind, () => {
      it('is what is left of a call that is over: what was said in it leaves Redis, and who resumes hears of the end', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { callee: kind })
        for (let sent = 0; sent < 20; sent++) caller.offer('x'.repeat(60_000))
        await caller.sendAndAck(caller.candidateMessage('last'))
        const { seq: since } = await callee.next('candidate')
        await callee.terminate()
        expect(await redis.exists(`tchat:log:${call.id}`)).to.equal(1)

        await call.end()
        await caller.next(isStatus('ended'))

        const kinds = ['log', 'sdp', 'ids', 'ids0', 'cursor']
        await eventually(async () => {
          expect(await redis.exists(...kinds.map((name) => `tchat:${name}:${call.id}`))).to.equal(0)
        })
        const refusal = await refusalOf(kind, call.callee.optionsFor({ since }))
        expect(refusal.code).to.equal('CALL_ALREADY_ENDED')
        expect((await call.status()).status).to.equal('ended')
      })

      it('reaches both users on all their connections, joined or not, with rising versions', async () => {
        const call = await newCall(cluster)
        const peers = [
          await call.caller.joinAs(kind),
          await call.caller.connect(kind, { at: 1 }),
          await call.callee.joinAs(kind),
          await call.callee.connect(kind, { at: 0 }),
          await openChannel(cluster, call.caller.user, kind),
          await openChannel(cluster, call.callee.user, kind, { at: 1 }),
        ]

        await call.answer()
        const active = await Promise.all(peers.map((peer) => peer.next(isStatus('active'))))
        await call.end()
        const ended = await Promise.all(peers.map((peer) => peer.next(isStatus('ended'))))

        for (const message of active) expect(message).to.include({ call_id: call.id, version: 2 })
        for (const message of ended) expect(message).to.include({ version: 3, end_reason: 'hangup' })
        for (const peer of peers) expectRising(peer)
      })

      it('ends the call connections within five seconds after the call is over, and no user channel', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { caller: kind, callee: kind })
        const unjoined = await call.callee.connect(kind)
        const channel = await openChannel(cluster, call.callee.user, kind)

        await call.end()

        for (const peer of [caller, callee, unjoined]) {
          const status = (await peer.next(isStatus('ended'))) as MessageOf<'call-status'>
          expect(status).to.include({ call_id: call.id, end_reason: 'canceled' })
          await closedInTime(peer)
        }
        const next = await newCall(cluster, { callee: call.callee.user })
        await channel.next((message) => message.type === 'incoming-call' && message.call_id === next.id)
      })

      it('is the last word: a message sent after it goes nowhere, and nothing follows it', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { caller: kind })

        await call.end('connection_failed')
        expect(await caller.next(isStatus('failed'))).to.include({ end_reason: 'connection_failed' })
        caller.offer('too late')
        await Promise.all([caller, callee].map(closedInTime))

        expect(callee.all('offer')).to.have.lengthOf(0)
        for (const peer of [caller, callee]) expectLast(peer, 'failed')
      })

      // The answer over HTTP comes once the change is committed; gateways hear of it a moment later.
      it('comes after what was sent before its sender had it, however the call ended meanwhile', async () => {
        for (let round = 0; round < 10; round++) {
          const call = await newCall(cluster)
          const { caller, callee } = await joinBoth(call, { caller: kind })

          const ending = call.end('connection_failed')
          if (round % 2 === 0) await ending
          for (let number = 0; number < 5; number++) caller.offer(`${number}`)
          await ending
          await Promise.all([caller, callee].map(closedInTime))

          const delivered = callee.all('offer').map(({ sdp }) => sdp)
          expect(delivered).to.deep.equal(['0', '1', '2', '3', '4'].slice(0, delivered.length))
          for (const peer of [caller, callee]) expectLast(peer, 'failed')
        }
      })

      it('tells a late joiner how the call stands now', async () => {
        const call = await newCall(cluster)
        await call.answer()

        const { status } = await (await call.caller.connect(kind)).join()

        expect(status).to.include({ status: 'active', version: 2 })
      })

      it('tells the other devices of the callee that the call was answered elsewhere, and closes them', async () => {
        const call = await newCall(cluster)
        const caller = await call.caller.joinAs(kind)
        const phone = await call.callee.joinAs(kind, { token: call.callee.tokenWith({ device_id: 'phone' }) })
        const tablet = await call.callee.joinAs(kind, {
          token: call.callee.tokenWith({ device_id: 'tablet' }),
          at: 0,
        })
        const nameless = await call.callee.connect(kind)

        await call.answer('phone')

        for (const other of [tablet, nameless]) {
          const status = (await other.next(isStatus('active'))) as MessageOf<'call-status'>
          expect(status.answered_by_device).to.equal('phone')
          await closedInTime(other)
        }
        await phone.next(isStatus('active'))
        caller.offer('for the phone')
        expect((await phone.next('offer')).sdp).to.equal('for the phone')
        phone.offer('from the phone')
        expect((await caller.next('offer')).sdp).to.equal('from the phone')
        expect(caller.all('user-left')).to.have.lengthOf(0)
      })

      it('turns away a device that did not answer, and lets the one in that did', async () => {
        const call = await newCall(cluster)
        await call.answer('phone')
        const token = call.callee.tokenWith({ device_id: 'tablet' })

        const tablet = await call.callee.connect(kind, { token })
        expect((await tablet.next('call-status')).answered_by_device).to.equal('phone')
        await closedInTime(tablet)

        const phone = await call.callee.joinAs(kind, { token: call.callee.tokenWith({ device_id: 'phone' }) })
        const caller = await call.caller.joinAs(kind)
        caller.offer('s')
        await phone.next('offer')
      })

      it('after an answer without a device closes nobody', async () => {
        const call = await newCall(cluster)
        const one = await call.callee.joinAs(kind)
        const two = await call.callee.joinAs(kind, { at: 0 })
        const caller = await call.caller.joinAs(kind)

        await call.answer()
        await Promise.all([one, two].map((peer) => peer.next(isStatus('active'))))

        caller.offer('s')
        await Promise.all([one, two].map((peer) => peer.next('offer')))
      })
    })
  }

  it('comes in order also when a call is answered and ended in a hurry, again and again', async () => {
    for (let round = 0; round < 15; round++) {
      const call = await newCall(cluster, { api: round % 2 })
      const channels = await Promise.all([0, 1].map((at) => openChannel(cluster, call.callee.user, 'raw', { at })))
      const { caller, callee } = await joinBoth(call)

      await call.answer()
      await call.end()

      for (const peer of [caller, callee, ...channels]) {
        await peer.next(isStatus('ended'))
        expectRising(peer)
      }
    }
  })

  it('leaves nobody in a call that ends while they connect', async () => {
    for (let round = 0; round < 15; round++) {
      const call = await newCall(cluster)

      const [connecting] = await Promise.allSettled([call.callee.connect('raw'), call.end()])

      // Either it came too late, or it is told and closed.
      if (connecting.status === 'fulfilled') await closedInTime(connecting.value)
      expect((await refusalOf('raw', call.callee.optionsFor())).code).to.equal('CALL_ALREADY_ENDED')
    }
  })
})
