import { expect } from 'chai'
import type { EndReason, ParticipantRole } from '../../core/protocol/signaling.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newCall, openChannel, type TestCall } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { PEER_KINDS } from '../support/connect-peer.ts'
import type { AnyMessage } from '../support/inbox.ts'

type Reason = 'user_hangup' | 'connection_failed' | 'timeout'
interface Ending {
  title: string
  by: ParticipantRole
  reason: Reason
  answered: boolean
  endReason: EndReason
  history: 'missed' | 'completed' | 'failed'
}

const ENDINGS: Ending[] = [
  { title: 'cancel', by: 'caller', reason: 'user_hangup', answered: false, endReason: 'canceled', history: 'missed' },
  { title: 'decline', by: 'callee', reason: 'user_hangup', answered: false, endReason: 'declined', history: 'missed' },
  ...(['caller', 'callee'] as const).flatMap((by): Ending[] => [
    { title: 'no answer', by, reason: 'timeout', answered: false, endReason: 'no_answer', history: 'missed' },
    {
      title: 'failure while ringing',
      by,
      reason: 'connection_failed',
      answered: false,
      endReason: 'connection_failed',
      history: 'failed',
    },
    { title: 'hang-up', by, reason: 'user_hangup', answered: true, endReason: 'hangup', history: 'completed' },
    { title: 'time-out', by, reason: 'timeout', answered: true, endReason: 'timeout', history: 'completed' },
    {
      title: 'failure',
      by,
      reason: 'connection_failed',
      answered: true,
      endReason: 'connection_failed',
      history: 'failed',
    },
  ]),
]

const isOver = (message: AnyMessage) =>
  message.type === 'call-status' && (message.status === 'ended' || message.status === 'failed')

describe('the end of a call', () => {
  let cluster: Cluster
  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })

  for (const { title, by, reason, answered, endReason, history } of ENDINGS)
    it(`by ${title} of the ${by} tells all connections of both why: ${endReason}`, async () => {
      const call = await newCall(cluster)
      // Both transports on both nodes, with and without a call of their own.
      const listeners = await Promise.all(
        [call.caller, call.callee].flatMap((party) =>
          PEER_KINDS.flatMap((kind) =>
            [0, 1].flatMap((at) => [openChannel(cluster, party.user, kind, { at }), party.connect(kind, { at })]),
          ),
        ),
      )
      if (answered) await call.answer()

      const ended = await call[by].user.api.end(call.id, { reason })

      expect(ended.body).to.include({ end_reason: endReason })
      for (const listener of listeners)
        expect(await listener.next(isOver)).to.include({
          call_id: call.id,
          status: history === 'failed' ? 'failed' : 'ended',
          end_reason: endReason,
          version: answered ? 3 : 2,
        })
      await expectHistory(call, history, endReason)
    })

  it('that never began, as the callee is busy, tells the caller at once and the callee nothing', async () => {
    const call = await newCall(cluster)
    const channels = await Promise.all(
      PEER_KINDS.map((kind, at) => openChannel(cluster, call.callee.user, kind, { at })),
    )
    const other = (await newCall(cluster)).caller
    await other.user.api.end((await other.user.api.activeCalls(other.id)).body.active_calls[0]?.call_id ?? '')

    const busy = await other.user.api.initiate({ caller_id: other.id, callee_id: call.callee.id })
    await call.end()

    expect([busy.status, busy.error?.code, busy.error?.details]).to.deep.equal([409, 'USER_ALREADY_IN_CALL', undefined])
    for (const channel of channels) {
      await channel.next(isOver)
      expect(channel.received.map((message) => 'call_id' in message && message.call_id)).to.deep.equal([
        call.id,
        call.id,
      ])
    }
  })

  async function expectHistory(call: TestCall, status: string, endReason: EndReason): Promise<void> {
    for (const { user } of [call.caller, call.callee]) {
      const [entry] = (await user.api.history(user.id)).body.calls
      expect(entry).to.include({ call_id: call.id, status, end_reason: endReason })
    }
  }
})
