import { expect } from 'chai'
import { isFault, parseClientMessage } from './parse-signaling.ts'

const CALL = '5a0f3ce1-6b0c-4d7e-9a57-1d2f35c0a001'
const ALICE = '5a0f3ce1-6b0c-4d7e-9a57-1d2f35c0a00a'
const BOB = '5a0f3ce1-6b0c-4d7e-9a57-1d2f35c0a00b'
const offer = { type: 'offer', call_id: CALL, from: ALICE, to: BOB, sdp: 'v=0' }
const candidate = { type: 'candidate', call_id: CALL, from: ALICE, to: BOB, candidate: '' }
const join = { type: 'join-room', call_id: CALL, user_id: ALICE }
const report = { type: 'connection-state', call_id: CALL, user_id: ALICE, state: 'connected' }

function fieldAtFault(message: unknown): string | undefined {
  const parsed = parseClientMessage(message, JSON.stringify(message))
  return isFault(parsed) ? (parsed.field ?? '(message)') : undefined
}

describe('parseClientMessage', () => {
  for (const message of [
    offer,
    { ...offer, type: 'answer' },
    candidate,
    { ...candidate, sdp_mid: null, sdp_m_line_index: null },
    { ...candidate, sdp_mid: '0', sdp_m_line_index: 0 },
    join,
    { ...join, type: 'leave-room' },
    { ...join, type: 'ice-servers' },
    report,
    { ...report, stats: { rtt: 0.1 } },
    { ...offer, id: 'x' },
    { ...offer, id: 0 },
    { ...offer, id: -1.5 },
    { ...offer, id: Number.MAX_SAFE_INTEGER },
    { ...offer, id: '😀' },
    { ...offer, anything: { else: true } },
    { ...offer, call_id: CALL.toUpperCase() },
  ])
    it(`takes ${JSON.stringify(message).slice(0, 90)}`, () => expect(fieldAtFault(message)).to.equal(undefined))

  for (const [message, field] of [
    [null, '(message)'],
    [[], '(message)'],
    ['offer', '(message)'],
    [42, '(message)'],
    [{}, 'type'],
    [{ ...offer, type: 'shout' }, 'type'],
    [{ ...offer, type: 'user-joined' }, 'type'],
    [{ ...offer, call_id: 'x' }, 'call_id'],
    [{ ...offer, from: undefined }, 'from'],
    [{ ...offer, to: 7 }, 'to'],
    [{ ...offer, sdp: null }, 'sdp'],
    [{ ...candidate, candidate: undefined }, 'candidate'],
    [{ ...candidate, sdp_mid: 1 }, 'sdp_mid'],
    [{ ...candidate, sdp_m_line_index: -1 }, 'sdp_m_line_index'],
    [{ ...candidate, sdp_m_line_index: '0' }, 'sdp_m_line_index'],
    [{ ...join, user_id: '' }, 'user_id'],
    [{ ...join, type: 'ice-servers', user_id: 7 }, 'user_id'],
    [{ ...report, state: 'new' }, 'state'],
    [{ ...report, stats: [] }, 'stats'],
    [{ ...offer, id: '' }, 'id'],
    [{ ...offer, id: 'x'.repeat(129) }, 'id'],
    [{ ...offer, id: null }, 'id'],
    [{ ...offer, id: {} }, 'id'],
    [{ ...offer, id: 2 ** 53 }, 'id'],
    [{ ...offer, id: -(2 ** 53) }, 'id'],
    [{ ...offer, id: 'x\ud800' }, 'id'],
    [{ ...offer, id: '\udfff\ud800' }, 'id'],
  ] as const)
    it(`refuses ${JSON.stringify(message).slice(0, 90)} for its ${field}`, () =>
      expect(fieldAtFault(message)).to.equal(field))
})
