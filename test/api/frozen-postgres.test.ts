import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { createDatabase, isDatabaseAway } from '../../core/platform/postgres.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { TcpProxy } from '../chaos/tcp-proxy.ts'
import { type ApiResponse, connect, createUser, ring, type TestUser } from '../support/api-client.ts'
import { newCall } from '../support/calls.ts'
import { privateCluster } from '../support/clusters.ts'
import { connectPeer, PEER_KINDS, refusalOf } from '../support/connect-peer.ts'
import { eventually } from '../support/eventually.ts'
import { freezePostgres } from '../support/frozen-postgres.ts'

/** What one request may take with a frozen Postgres: 5 s, and what a busy machine adds. It was 20 s and more. */
const DEADLINE_MS = 5_000
const ANSWERED_WITHIN_MS = DEADLINE_MS + 4_000

describe('a frozen Postgres', function () {
  this.timeout(120_000)
  let cluster: Cluster

  before(async () => {
    cluster = await privateCluster({ gateways: 2, apis: 1, workers: 1, edge: false })
  })
  after(() => cluster?.stop())
  const user = (): TestUser => createUser(cluster.api(0).url, cluster.jwtSecret)

  /** Runs `act` while Postgres stands still. */
  async function frozen<T>(act: () => Promise<T>): Promise<T> {
    const { thaw } = freezePostgres(cluster)
    try {
      return await act()
    } finally {
      thaw()
    }
  }

  async function timed<T extends object>(answer: Promise<T>): Promise<T & { ms: number }> {
    const startedAt = performance.now()
    return Object.assign(await answer, { ms: performance.now() - startedAt })
  }

  function expectInTime(answer: ApiResponse<unknown> & { ms: number }, code: string): void {
    expect([answer.status, answer.error?.code], answer.text).to.deep.equal([503, code])
    expect(answer.headers.get('retry-after')).to.match(/^[1-9]\d*$/)
    expect(answer.ms).to.be.below(ANSWERED_WITHIN_MS)
  }

  it('costs no request more than five seconds', async () => {
    const [caller, callee, other] = [user(), user(), user()]
    const callId = await connect(caller, callee)
    // Some connections of the pool are open, some are not.
    await Promise.all(Array.from({ length: 6 }, () => caller.api.status(callId)))

    const [answers, presence] = await frozen(async () => {
      const asked = [
        other.api.initiate({ caller_id: other.id, callee_id: randomUUID() }),
        other.api.initiate({ caller_id: other.id, callee_id: randomUUID() }, 'a key'),
        callee.api.answer(callId, { user_id: callee.id }),
        caller.api.status(callId),
        caller.api.activeCalls(caller.id),
        caller.api.history(caller.id),
        caller.api.presence(callee.id),
        caller.api.checkPresence(callee.id),
        // More than the pool has connections, of which each waits for one.
        ...Array.from({ length: 12 }, () => caller.api.status(callId)),
      ].map((answer) => timed<ApiResponse<unknown>>(answer))
      const set = timed(caller.api.setPresence({ status: 'online' }))
      // What needs no Postgres is not held up by what waits for it.
      expect((await caller.api.iceServers()).status).to.equal(200)
      expect((await caller.api.health()).status).to.equal(200)
      return [await Promise.all(asked), await set] as const
    })

    for (const answer of answers) expectInTime(answer, 'SERVICE_UNAVAILABLE')
    expectInTime(presence, 'PRESENCE_UPDATE_FAILED')
    await eventually(async () => expect((await caller.api.status(callId)).status).to.equal(200))
    expect((await caller.api.end(callId)).status).to.equal(200)
  })

  it('makes no call for an initiate that was answered with 503 before its transaction ended', async () => {
    const pairs = Array.from({ length: 5 }, () => [user(), user()] as const)

    const answers = await frozen(() =>
      Promise.all(pairs.map(([caller, callee]) => caller.api.initiate({ caller_id: caller.id, callee_id: callee.id }))),
    )

    for (const { status } of answers) expect(status).to.equal(503)
    // Whoever calls now is not told that they are in a call that they know nothing of.
    for (const [caller, callee] of pairs) {
      await eventually(async () => expect((await caller.api.activeCalls(caller.id)).status).to.equal(200))
      expect((await caller.api.activeCalls(caller.id)).body.active_calls).to.deep.equal([])
      await ring(caller, callee)
    }
  })

  it('is not asked again over a connection that has gone silent', async () => {
    const url = new URL(cluster.description.postgres.url)
    const proxy = await TcpProxy.start(Number(url.port))
    url.host = `127.0.0.1:${proxy.port}`
    const db = createDatabase({ url: url.href, poolMax: 1, timeoutMs: 5_000, statementMs: 1_000 }, 'test')
    await db.raw('SELECT 1')

    // As where the server's host is lost: the open connection says nothing any more, a new one works.
    proxy.delayMs = 600_000
    const fault = await db.raw('SELECT 1').catch((error: unknown) => error)
    proxy.delayMs = 0

    expect(isDatabaseAway(fault)).to.equal(true)
    expect((await db.raw<{ rows: unknown[] }>('SELECT 1 AS one')).rows).to.deep.equal([{ one: 1 }])
    await db.destroy()
    await proxy.stop()
  })

  it('lets peers of a call that has a room in, on any gateway, over either transport', async () => {
    const calls = await Promise.all(
      PEER_KINDS.map(async (kind) => {
        const call = await newCall(cluster)
        const caller = await call.caller.joinAs('raw', { at: 0 })
        const callee = await call.callee.joinAs('raw', { at: 0 })
        await call.answer()
        await callee.next((message) => message.type === 'call-status' && message.status === 'active')
        return { kind, call, caller, callee }
      }),
    )

    await frozen(() =>
      Promise.all(
        calls.map(async ({ kind, call, callee }) => {
          const again = await timed(call.caller.joinAs(kind, { at: 1 }))
          expect(again.ms, kind).to.be.below(ANSWERED_WITHIN_MS)
          again.offer('from the other gateway')
          expect((await callee.next('offer')).sdp, kind).to.equal('from the other gateway')
        }),
      ),
    )
    await Promise.all(calls.flatMap(({ caller, callee }) => [caller.close(), callee.close()]))
  })

  it('refuses handshakes that nobody can judge within five seconds, many at once, over either transport', async () => {
    const askers = PEER_KINDS.map((kind) => {
      const { id, token } = user()
      const ask = () => refusalOf(kind, { url: cluster.gateway(0).url, userId: id, token, callId: randomUUID() })
      return { kind, ask }
    })

    const answers = await frozen(() =>
      Promise.all(
        askers.flatMap(({ kind, ask }) =>
          Array.from({ length: 12 }, async () => ({ kind, refusal: await timed(ask()) })),
        ),
      ),
    )

    expect(answers).to.have.length(24)
    for (const { kind, refusal } of answers) {
      expect(refusal.code, kind).to.equal('SERVICE_UNAVAILABLE')
      expect(refusal.ms, kind).to.be.below(ANSWERED_WITHIN_MS)
      if (kind === 'raw') expect(refusal.headers['retry-after']).to.match(/^[1-9]\d*$/)
      else expect(refusal.data).to.have.nested.property('details.retry_after_ms')
    }
    // Postgres is back: the same question gets its own answer.
    for (const { kind, ask } of askers)
      await eventually(async () => expect((await ask()).code, kind).to.equal('CALL_NOT_FOUND'))
  })

  it('does not keep a user channel out', async () => {
    const someone = user()

    await frozen(async () => {
      const channel = await timed(
        connectPeer('raw', { url: cluster.gateway(0).url, userId: someone.id, token: someone.token }),
      )
      expect(channel.ms).to.be.below(ANSWERED_WITHIN_MS)
    })
  })
})
