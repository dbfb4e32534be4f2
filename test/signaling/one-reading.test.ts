/** What a message says is the same for every reader, and two ids that differ are two messages. */
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { joinBoth, newCall, openChannel } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { PEER_KINDS } from '../support/connect-peer.ts'
import type { Peer } from '../support/peer.ts'
import { RawPeer } from '../support/raw-peer.ts'
import { sendText, withTexts } from '../support/wire-text.ts'

const repeated = (peer: Peer): Record<string, string> => {
  const candidate = peer.candidateMessage('c')
  const text = withTexts(candidate)
  return {
    'a type in front': text.replace('{', '{"type":"call-status","status":"ended",'),
    'an escaped type': text.replace('{', '{"\\u0074ype":"call-status",'),
    'an escaped type behind': text.replace(/}$/, ',"\\u0074\\u0079pe":"candidate"}'),
    'the same value twice': text.replace(/}$/, ',"sdp_mid":"0"}'),
    'blanks before the colon': text.replace(/}$/, ',"candidate" \n:"c"}'),
    'two seqs': withTexts(candidate, ['seq', '"1-1"'], ['seq', '"2-2"']),
    'two ids': withTexts(candidate, ['id', '1'], ['id', '2']),
    'a name within a field': withTexts(candidate, ['extra', '{"a":[{"b":1,"b":2}]}']),
  }
}

describe('one reading', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })

  for (const kind of PEER_KINDS)
    describe(kind, () => {
      it('refuses a message that gives a name twice, and the connection stays', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { caller: kind })

        for (const [name, text] of Object.entries(repeated(caller))) {
          sendText(caller, 'candidate', text)
          const answer = await caller.next(({ type }) => type === 'error' || type === 'ack')
          expect(answer, name).to.have.nested.property('error.code', 'INVALID_REQUEST')
        }

        caller.offer('still here')
        await callee.next('offer')
        expect(callee.received.map(({ type }) => type)).to.deep.equal(['user-joined', 'call-status', 'offer'])
      })

      it('refuses it of every message, before the join, too', async () => {
        const call = await newCall(cluster)
        const caller = await call.caller.connect(kind)
        const channel = await openChannel(cluster, call.callee.user, kind)

        for (const [type, fields] of Object.entries({
          'join-room': caller.joinMessage(),
          'leave-room': caller.joinMessage(),
          'ice-servers': caller.joinMessage(),
          'connection-state': caller.stateMessage('connected'),
        })) {
          sendText(caller, type, withTexts({ ...fields, type }).replace(/}$/, `,"call_id":"${call.id}"}`))
          expect((await caller.next('error')).error.code, type).to.equal('INVALID_REQUEST')
        }
        const ringing = withTexts(channel.ringingMessage(call.id)).replace('{', '{"type":"offer",')
        sendText(channel, 'ringing', ringing)
        expect((await channel.next('error')).error.code).to.equal('INVALID_REQUEST')
      })

      it("sends one seq, the server's, where the sender wrote one of its own", async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { caller: kind, callee: 'raw' })
        if (!(callee instanceof RawPeer)) throw new Error('Only a raw peer sees its frames')
        const frames: string[] = []
        callee.onText((text) => frames.push(text))

        sendText(caller, 'candidate', withTexts(caller.candidateMessage('c'), ['"\\u0073eq"', '"9-9"']))
        const { seq } = await callee.next('candidate')

        const text = frames.find((frame) => frame.includes('"candidate"'))
        expect(text?.match(/"(seq|\\u0073eq)"/g)).to.deep.equal(['"seq"'])
        expect(seq).not.to.equal('9-9')
      })

      it('delivers each of two messages whose ids differ', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { caller: kind })
        // From the second connection of a user on, the log looks every id up.
        await caller.sendAndAck(caller.candidateMessage('first'))
        const second = await call.caller.joinAs(kind)
        const ids = [
          1,
          '1',
          '#1',
          '##1',
          -1,
          '#-1',
          '\n1',
          '\n#1',
          '|',
          '%7C',
          'é',
          'e\u0301',
          '\u0000',
          '\u0000\u0000',
        ]

        for (const id of ids) second.candidate(JSON.stringify(id), { id })
        for (const id of ids) expect((await second.next('ack')).id).to.equal(id)
        second.offer('marker')
        await callee.next('offer')

        const got = callee.all('candidate').map(({ candidate }) => candidate)
        expect(got).to.deep.equal(['first', ...ids.map((id) => JSON.stringify(id))])
      })

      it('refuses ids that could be taken for others', async () => {
        const call = await newCall(cluster)
        const { caller, callee } = await joinBoth(call, { caller: kind })

        for (const id of [
          '"\\ud800"',
          '"\\udfff"',
          '"a\\udc00b"',
          '9007199254740993',
          '-9007199254740992',
          '1e300',
          '1e999',
        ]) {
          sendText(caller, 'candidate', withTexts(caller.candidateMessage(id), ['id', id]))
          const answer = await caller.next(({ type }) => type === 'error' || type === 'ack')
          expect(answer, id).to.have.nested.property('error.details.field', 'id')
        }
        caller.offer('marker')
        await callee.next('offer')

        expect(callee.all('candidate')).to.deep.equal([])
      })
    })
})
