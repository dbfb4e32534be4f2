import { expect } from 'chai'
import { Redis } from 'ioredis'
import { isUuid } from '../../core/protocol/ids.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import type { ApiResponse } from '../support/api-client.ts'
import { joinBoth, newCall, newUser, openChannel, type TestCall } from '../support/calls.ts'
import { privateCluster } from '../support/clusters.ts'
import { PEER_KINDS, refusalOf } from '../support/connect-peer.ts'
import { eventually } from '../support/eventually.ts'
import { shortSeconds } from '../support/patience.ts'
import type { Peer } from '../support/peer.ts'

/** Short limits: a call that is ended by mistake is ended before a test is over. */
const LIMIT_SECONDS = 2
/** Half of the default: a worker waits it out after each outage. */
const LEASE_SECONDS = shortSeconds(4)
/** Decisions, "Signaling": a dead node's connections count no longer than 10 s, with the default lease of 8 s. */
const AFTER_LEASE_MS = 2_000
const DEAD_NODE_MS = Number(LEASE_SECONDS) * 1000 + AFTER_LEASE_MS
/** What the product promises after Redis was wiped. */
const PRESENCE_HEALS_MS = 30_000

const candidatesOf = (peer: Peer) => peer.all('candidate').map(({ candidate }) => candidate)
const isCandidate = (name: string) => (message: { type: string; candidate?: string }) =>
  message.type === 'candidate' && message.candidate === name

describe('outages', function () {
  this.timeout(90_000)
  let cluster: Cluster
  let pids: (number | null)[]

  before(async () => {
    cluster = await privateCluster({
      apis: 2,
      edge: false,
      env: {
        SETUP_TIMEOUT_SECONDS: String(LIMIT_SECONDS),
        LOST_PEERS_TIMEOUT_SECONDS: String(LIMIT_SECONDS),
        RECONNECT_GRACE_SECONDS: '1',
        NODE_BEAT_SECONDS: '1',
        NODE_LEASE_SECONDS: LEASE_SECONDS,
      },
    })
    pids = pidsOf(cluster)
  })
  after(() => cluster?.stop())

  async function wipeRedis(): Promise<void> {
    const redis = new Redis(cluster.description.redis.port, '127.0.0.1')
    await redis.flushall()
    redis.disconnect()
  }

  /** The worker is at work: it ended a call that was answered and that nobody joined, long after what went before. */
  async function untilLimitsPassed(): Promise<void> {
    const abandoned = await newCall(cluster)
    await abandoned.answer()
    await eventually(async () => expect((await abandoned.status()).status).to.equal('failed'), 30_000)
  }

  async function expectAlive(call: TestCall, caller: Peer, callee: Peer): Promise<void> {
    for (const [from, to] of [
      [caller, callee],
      [callee, caller],
    ] as const) {
      const name = `alive ${Math.random()}`
      await eventually(async () => expect((await from.sendAndAck(from.candidateMessage(name))).ok).to.equal(true))
      await to.next(isCandidate(name))
    }
    expect((await call.status()).status).to.equal('active')
    expect([...caller.all('user-left'), ...callee.all('user-left')]).to.have.lengthOf(0)
  }

  describe('Redis is wiped', () => {
    it('loses no call, no history and ends nobody', async () => {
      const over = await newCall(cluster)
      await over.answer()
      await over.end()
      const call = await newCall(cluster)
      const { caller, callee } = await joinBoth(call, { callee: 'socketio' })
      await call.answer()

      await wipeRedis()

      await expectAlive(call, caller, callee)
      await untilLimitsPassed()
      await expectAlive(call, caller, callee)
      const history = await over.caller.user.api.history(over.caller.id)
      expect(history.body.calls.map(({ call_id }) => call_id)).to.deep.equal([over.id])
      await call.end()
      await callee.next((message) => message.type === 'call-status' && message.status === 'ended')
      const { calls } = (await call.callee.user.api.history(call.callee.id)).body
      expect(calls.map(({ call_id, status }) => [call_id, status])).to.deep.equal([[call.id, 'completed']])
    })

    it('loses, doubles and reorders no message of a call that goes on meanwhile', async () => {
      const call = await newCall(cluster)
      const { caller, callee } = await joinBoth(call, { callee: 'socketio' })
      const names = Array.from({ length: 90 }, (_, index) => String(index))

      for (const name of names) {
        if (name === '30') await wipeRedis()
        expect((await caller.sendAndAck(caller.candidateMessage(name))).ok).to.equal(true)
      }
      await callee.next(isCandidate('89'))

      expect(candidatesOf(callee)).to.deep.equal(names)
    })

    it('keeps what was acknowledged for somebody who is not there', async () => {
      const call = await newCall(cluster)
      const caller = await call.caller.joinAs()
      for (const name of ['1', '2', '3']) await caller.sendAndAck(caller.candidateMessage(name))

      await wipeRedis()
      // The sender's node notices the loss with its next word to Redis.
      await caller.sendAndAck(caller.candidateMessage('4'))
      const callee = await call.callee.joinAs('socketio')

      await eventually(() => expect(candidatesOf(callee)).to.have.members(['1', '2', '3', '4']))
    })

    it('heals the rooms: who joins later finds everybody, and is found', async () => {
      const call = await newCall(cluster)
      const { caller } = await joinBoth(call)
      await wipeRedis()

      await eventually(async () => {
        const further = await call.callee.connect('socketio', { at: 0 })
        const { joined } = await further.join()
        await further.close()
        expect(joined.participants).to.have.members([call.caller.id, call.callee.id])
      }, PRESENCE_HEALS_MS)
      const further = await call.callee.joinAs('raw', { at: 0 })
      caller.offer('for all')
      expect((await further.next('offer')).sdp).to.equal('for all')
    })

    it('tells a client that resumes that something may be missing', async () => {
      const call = await newCall(cluster)
      const { caller, callee } = await joinBoth(call)
      caller.candidate('before')
      const since = (await callee.next('candidate')).seq
      await callee.terminate()
      await caller.close()
      await wipeRedis()

      const back = await call.callee.connect('raw', { since })

      expect(await back.next('resumed')).to.include({ recovered: false })
    })

    it('heals the presence of connected users within 30 s, and keeps what they set', async () => {
      const [online, hidden] = [newUser(cluster), newUser(cluster)]
      await openChannel(cluster, online)
      await openChannel(cluster, hidden, 'socketio', { at: 1 })
      await hidden.api.setPresence({ status: 'offline' })
      const call = await newCall(cluster)
      await call.answer()
      await call.caller.joinAs()

      await wipeRedis()
      await eventually(async () => {
        expect((await online.api.presence(online.id)).body.status).to.equal('online')
        const inCall = (await call.caller.user.api.presence(call.caller.id)).body
        expect(inCall).to.include({ status: 'online', in_call: true, call_id: call.id })
      }, PRESENCE_HEALS_MS)

      expect((await hidden.api.presence(hidden.id)).body.status).to.equal('offline')
    })

    it('heals the count of connections', async () => {
      const call = await newCall(cluster)
      await Promise.all([0, 0, 1, 1, 1].map((at) => call.caller.connect('raw', { at })))

      await wipeRedis()

      await eventually(async () => {
        const refused = await refusalOf('raw', call.caller.optionsFor())
        expect(refused.code).to.equal('RATE_LIMITED')
      }, PRESENCE_HEALS_MS)
    })

    it('rings and tells as ever, without a restart of anything', async () => {
      const user = newUser(cluster)
      const channel = await openChannel(cluster, user, 'raw', { at: 1 })
      await wipeRedis()

      const call = await newCall(cluster, { callee: user })

      expect((await channel.next('incoming-call')).call_id).to.equal(call.id)
      expect(pidsOf(cluster)).to.deep.equal(pids)
    })
  })

  it('Redis is restarted: calls go on, messages flow again, and nothing of ours is restarted', async () => {
    const call = await newCall(cluster)
    const { caller, callee } = await joinBoth(call, { caller: 'socketio' })
    await call.answer()
    const channel = await openChannel(cluster, call.callee.user)

    await cluster.restartRedis()

    await expectAlive(call, caller, callee)
    await untilLimitsPassed()
    await expectAlive(call, caller, callee)
    await call.end()
    await channel.next((message) => message.type === 'call-status' && message.status === 'ended')
    expect(pidsOf(cluster)).to.deep.equal(pids)
  })

  it('Redis is away: who would join is told SERVICE_UNAVAILABLE, stays, and joins when it is back', async () => {
    const call = await newCall(cluster)
    const [caller, callee] = [await call.caller.connect('raw'), await call.callee.connect('socketio')]
    const peers = [caller, callee]

    await cluster.stopRedis()
    try {
      for (const peer of peers) {
        peer.send({ ...peer.joinMessage(), id: 'join' })
        const error = await peer.next('error')
        expect(error.error.code).to.equal('SERVICE_UNAVAILABLE')
        expect(error.ref).to.equal('join')
      }
      for (const kind of PEER_KINDS) {
        const refused = await refusalOf(kind, call.caller.optionsFor())
        expect(refused.code).to.equal('SERVICE_UNAVAILABLE')
        if (kind === 'raw') expect(refused.status).to.equal(503)
      }
    } finally {
      await cluster.startRedis()
    }

    for (const peer of peers) {
      await eventually(async () => {
        const { ok } = await peer.sendAndAck(peer.joinMessage())
        expect(ok).to.equal(true)
      }, 20_000)
    }
    caller.offer('after all')
    expect((await callee.next('offer')).sdp).to.equal('after all')
  })

  it('Postgres is restarted: 503 with the envelope meanwhile, signaling untouched, then as before', async () => {
    const call = await newCall(cluster)
    const { caller, callee } = await joinBoth(call, { callee: 'socketio' })
    await call.answer()
    await callee.next((message) => message.type === 'call-status' && message.status === 'active')
    const { api } = call.caller.user
    const requests: Record<string, () => Promise<ApiResponse<unknown>>> = {
      initiate: () => api.initiate({ caller_id: call.caller.id, callee_id: newUser(cluster).id }),
      status: () => api.status(call.id),
      answer: () => call.callee.user.api.answer(call.id, { user_id: call.callee.id }),
      active: () => api.activeCalls(call.caller.id),
      history: () => api.history(call.caller.id),
    }

    await cluster.stopPostgres()
    try {
      for (const [name, request] of Object.entries(requests)) {
        const response = await request()
        expect([response.status, response.error?.code], name).to.deep.equal([503, 'SERVICE_UNAVAILABLE'])
        const body = response.body as { request_id?: string; timestamp?: string }
        expect(isUuid(body.request_id), name).to.equal(true)
        expect(Date.parse(body.timestamp ?? ''), name).to.be.above(0)
      }
      expect((await api.health()).status).to.equal(200)
      expect((await api.detailedHealth()).body).to.include({ status: 'unhealthy' })

      for (let index = 0; index < 50; index++) {
        caller.candidate(`caller ${index}`)
        callee.candidate(`callee ${index}`)
      }
      await callee.next(isCandidate('caller 49'))
      await caller.next(isCandidate('callee 49'))
      // A participant who loses the connection comes back into the call, on another gateway too.
      const since = callee.received.at(-1)?.seq
      await callee.terminate()
      const back = await call.callee.connect('raw', { at: 0, since })
      expect(await back.next('resumed')).to.include({ recovered: true, count: 0 })
      caller.offer('while Postgres is away')
      expect((await back.next('offer')).sdp).to.equal('while Postgres is away')
      expect(caller.all('user-left')).to.have.lengthOf(0)
    } finally {
      await cluster.startPostgres()
    }

    await eventually(async () => expect((await api.status(call.id)).status).to.equal(200))
    await untilLimitsPassed()
    expect((await call.status()).status).to.equal('active')
    await call.end()
    await caller.next((message) => message.type === 'call-status' && message.status === 'ended')
    const { calls } = (await api.history(call.caller.id)).body
    expect(calls.map(({ call_id, status }) => [call_id, status])).to.deep.equal([[call.id, 'completed']])
    expect(pidsOf(cluster)).to.deep.equal(pids)
  })

  it('Postgres is away for longer than the limits: nobody is ended for it', async () => {
    const call = await newCall(cluster)
    const { caller, callee } = await joinBoth(call)
    await call.answer()

    await cluster.stopPostgres()
    try {
      const stoppedAt = Date.now()
      await eventually(
        async () => {
          await expectFlow(caller, callee)
          expect(Date.now() - stoppedAt).to.be.above((LIMIT_SECONDS + 1) * 1000)
        },
        (LIMIT_SECONDS + 10) * 1000,
      )
    } finally {
      await cluster.startPostgres()
    }

    await untilLimitsPassed()
    await expectAlive(call, caller, callee)
  })

  it('a gateway is killed: its users are missed, may come back elsewhere, and lose nothing that was acknowledged', async () => {
    const call = await newCall(cluster)
    const { caller, callee } = await joinBoth(call)
    await call.answer()
    const bystander = await newCall(cluster)
    const lost = await joinBoth(bystander)
    const crowded = await newCall(cluster)
    await Promise.all([1, 1, 1, 1, 1].map((at) => crowded.caller.connect('raw', { at })))
    caller.candidate('1')
    const since = (await callee.next('candidate')).seq

    const killedAt = Date.now()
    await cluster.kill('gateway-2', 'SIGKILL')
    await callee.closed
    await caller.sendAndAck(caller.candidateMessage('2'))
    const back = await call.callee.connect('raw', { at: 0, since })

    await back.next(isCandidate('2'))
    expect(candidatesOf(back)).to.deep.equal(['2'])
    await eventually(() => crowded.caller.connect('raw', { at: 0 }), killedAt + DEAD_NODE_MS - Date.now())
    // The one who did not come back is announced as gone; the one who did never was.
    expect((await lost.caller.next('user-left', 20_000)).user_id).to.equal(bystander.callee.id)
    expect(caller.all('user-left')).to.have.lengthOf(0)
    await cluster.waitReady('gateway-2')
    const again = await bystander.callee.joinAs('socketio')
    lost.caller.offer('welcome back')
    expect((await again.next('offer')).sdp).to.equal('welcome back')
    pids = pidsOf(cluster)
  })
})

/** One message each way, now. */
async function expectFlow(one: Peer, other: Peer): Promise<void> {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    const name = `flow ${Math.random()}`
    from.candidate(name)
    await to.next(isCandidate(name))
  }
}

function pidsOf({ description }: Cluster): (number | null)[] {
  return [...description.gateways, ...description.api, ...description.workers].map(({ pid }) => pid)
}
