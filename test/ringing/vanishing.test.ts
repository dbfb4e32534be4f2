/** Users who are gone without a word, at every step of a call: what becomes of it by itself. */
import { expect } from 'chai'
import type { EndReason } from '../../core/protocol/signaling.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newCall, newUser, openChannel, type TestCall } from '../support/calls.ts'
import { privateCluster } from '../support/clusters.ts'
import { PEER_KINDS, type PeerKind } from '../support/connect-peer.ts'
import { eventually } from '../support/eventually.ts'
import type { AnyMessage, MessageOf } from '../support/inbox.ts'
import { patient, shortSeconds } from '../support/patience.ts'
import type { Peer } from '../support/peer.ts'

const RING_MS = 4_000
const SETUP_MS = 4_000
const LOST_MS = 2_000
const UNREACHABLE_MS = 1_000
/** The worker acts within a second of a limit; a busy machine may need some more. */
const NOTICED_WITHIN_MS = patient(3_000)
/** Between this process' look at the clock and that of the server. */
const CLOCKS_MS = 200

type Side = 'caller' | 'callee'
type Step =
  | 'it rings'
  | 'it rings and the caller has joined'
  | 'it was answered'
  | 'it was answered and the callee has joined'
  | 'both have joined'

interface Scene {
  call: TestCall
  /** Everything that is open, by side. */
  open: Record<Side, Peer[]>
}

interface Outcome {
  status: string
  endReason: EndReason | undefined
  history: string[]
  /** From the moment that the limit runs from to the end, as it is written. */
  lastedMs: number
}

const GONE: [who: string, sides: Side[]][] = [
  ['of the caller', ['caller']],
  ['of the callee', ['callee']],
  ['of both', ['caller', 'callee']],
]
const STEPS: Step[] = [
  'it rings',
  'it rings and the caller has joined',
  'it was answered',
  'it was answered and the callee has joined',
  'both have joined',
]

interface Case {
  step: Step
  who: string
  sides: Side[]
  /** Who stays where both have joined keeps the call: media may still flow, and it is theirs to hang up. */
  left: Side[]
  kind: PeerKind
}

const CASES: Case[] = STEPS.flatMap((step, index) =>
  GONE.map(([who, sides]) => ({
    step,
    who,
    sides,
    left: step === 'both have joined' ? (['caller', 'callee'] as const).filter((side) => !sides.includes(side)) : [],
    kind: PEER_KINDS[index % 2] as PeerKind,
  })),
)

const isOver = (message: AnyMessage) =>
  message.type === 'call-status' && message.status !== 'connecting' && message.status !== 'active'

describe('the vanishing', () => {
  let cluster: Cluster
  const faults = new Map<Case, unknown>()
  before(async function () {
    this.timeout(90_000)
    cluster = await privateCluster({
      gateways: 2,
      apis: 2,
      workers: 2,
      edge: false,
      env: {
        RING_TIMEOUT_SECONDS: String(RING_MS / 1000),
        SETUP_TIMEOUT_SECONDS: String(SETUP_MS / 1000),
        LOST_PEERS_TIMEOUT_SECONDS: String(LOST_MS / 1000),
        UNREACHABLE_AFTER_SECONDS: String(UNREACHABLE_MS / 1000),
        RECONNECT_GRACE_SECONDS: '0.5',
        NODE_BEAT_SECONDS: '0.25',
        NODE_LEASE_SECONDS: shortSeconds(2),
      },
    })
    const played = await Promise.allSettled(CASES.map((one) => play(one)))
    for (const [index, result] of played.entries())
      if (result.status === 'rejected') faults.set(CASES[index] as Case, result.reason)
  })
  after(() => cluster.stop())

  async function sceneAt(step: Step, kind: PeerKind): Promise<Scene> {
    const [caller, callee] = [newUser(cluster), newUser(cluster)]
    const open: Scene['open'] = {
      caller: [await openChannel(cluster, caller, kind, { at: 0 })],
      callee: [await openChannel(cluster, callee, kind, { at: 1 })],
    }
    const call = await newCall(cluster, { caller, callee })
    if (step === 'it rings') return { call, open }
    if (step === 'it rings and the caller has joined' || step === 'both have joined')
      open.caller.push(await call.caller.joinAs(kind))
    if (step === 'it rings and the caller has joined') return { call, open }
    await call.answer('phone')
    if (step === 'it was answered') return { call, open }
    const token = call.callee.tokenWith({ device_id: 'phone' })
    open.callee.push(await call.callee.joinAs(kind, { token }))
    return { call, open }
  }

  async function vanish({ open }: Scene, sides: Side[]): Promise<void> {
    await Promise.all(sides.flatMap((side) => open[side]).map((peer) => peer.terminate()))
  }

  async function outcomeOf({ call }: Scene, goneAt: number): Promise<Outcome> {
    const deadlineMs = Math.max(RING_MS, SETUP_MS, LOST_MS) + NOTICED_WITHIN_MS
    const status = await eventually(async () => {
      const now = await call.status()
      expect(now.ended_at, 'not over yet').not.to.equal(undefined)
      return now
    }, deadlineMs)
    const entries = await Promise.all(
      [call.caller, call.callee].map(async ({ user }) => (await user.api.history(user.id)).body.calls),
    )
    const from = {
      no_answer: Date.parse(status.started_at),
      setup_timeout: Date.parse(status.started_at),
      peers_lost: goneAt,
    }[String(status.end_reason)]
    return {
      status: status.status,
      endReason: status.end_reason,
      history: entries.flat().map((entry) => `${entry.status} ${entry.end_reason}`),
      lastedMs: Date.parse(status.ended_at ?? '') - (from ?? Number.NaN),
    }
  }

  /** What a case has to show; they take some seconds each and disturb each other in nothing, so all run at once. */
  async function play({ step, sides, left, kind }: Case): Promise<void> {
    const scene = await sceneAt(step, kind)
    await vanish(scene, sides)
    let goneAt = Date.now()
    const [survivor] = left
    if (survivor !== undefined) {
      expect((await scene.open[survivor].at(-1)?.next('user-left'))?.user_id).to.equal(scene.call[sides[0] as Side].id)
      // Another call that both leave now shows when the limit has passed.
      const witness = await sceneAt('both have joined', kind)
      await vanish(witness, ['caller', 'callee'])
      expect((await outcomeOf(witness, Date.now())).endReason).to.equal('peers_lost')
      expect((await scene.call.status()).status).to.equal('active')
      await vanish(scene, left)
      goneAt = Date.now()
    }

    const { status, endReason, history, lastedMs } = await outcomeOf(scene, goneAt)

    const [state, entry, reason] = expected(step, sides, endReason)
    expect([status, endReason]).to.deep.equal([state, reason])
    expect(history).to.deep.equal([`${entry} ${reason}`, `${entry} ${reason}`])
    if (reason === 'no_answer') expect(lastedMs).to.equal(RING_MS)
    else if (reason === 'setup_timeout') expect(lastedMs).to.equal(SETUP_MS)
    else expect(lastedMs).to.be.within(LOST_MS - CLOCKS_MS, LOST_MS + NOTICED_WITHIN_MS)
    for (const side of ['caller', 'callee'] as const)
      if (!sides.includes(side) && !left.includes(side)) await scene.open[side][0]?.next(isOver)
  }

  function expected(
    step: Step,
    sides: Side[],
    reason: EndReason | undefined,
  ): [status: string, history: string, reason: EndReason] {
    if (step.startsWith('it rings')) return ['ended', 'missed', 'no_answer']
    const setUp = ['failed', 'failed', 'setup_timeout'] as const
    if (step === 'it was answered') return [...setUp]
    // The caller never came: the callee who waits in the room is no reason to keep the call. Where the callee has gone, the
    // limit that passes first ends it: on a busy machine that may be the one which runs from the answer.
    if (step !== 'both have joined' && (!sides.includes('callee') || reason === 'setup_timeout')) return [...setUp]
    return ['ended', 'completed', 'peers_lost']
  }

  for (const one of CASES)
    it(`${one.who} when ${one.step}: ${one.left.length > 0 ? 'goes on until the other one goes, too' : 'ends by itself'}`, () => {
      const fault = faults.get(one)
      if (fault !== undefined) throw fault
    })

  it('of a callee before any device rang: the caller is told unreachable within the limit, then no answer', async function () {
    this.timeout(30_000)
    const call = await newCall(cluster)
    const told = [
      await call.caller.joinAs('raw', { at: 0 }),
      await openChannel(cluster, call.caller.user, 'socketio', { at: 1 }),
    ]

    for (const peer of told) {
      const unreachable = (await peer.next(
        (message) => message.type === 'call-status' && message.ring_state === 'unreachable',
      )) as MessageOf<'call-status'>
      expect(unreachable).to.include({ status: 'connecting', version: 2 })
      const createdAt = Date.parse((await call.caller.user.api.status(call.id)).body.started_at)
      expect(Date.parse(unreachable.timestamp) - createdAt).to.be.within(
        UNREACHABLE_MS,
        UNREACHABLE_MS + NOTICED_WITHIN_MS,
      )
      expect(await peer.next(isOver)).to.include({ end_reason: 'no_answer', version: 3 })
    }
  })

  it('of a callee who wakes up late: the receipt turns unreachable into ringing', async function () {
    this.timeout(30_000)
    const call = await newCall(cluster)
    const watching = await openChannel(cluster, call.caller.user, 'raw')
    await watching.next((message) => message.type === 'call-status' && message.ring_state === 'unreachable')

    await call.callee.user.api.ringing(call.id)

    expect(await watching.next('call-status')).to.include({ status: 'connecting', ring_state: 'ringing', version: 3 })
    await call.end()
  })
})
