import { expect } from 'chai'
import type { CallStatus } from '../protocol/signaling.ts'
import { type CallEvent, nextState, statesBefore, TRANSITIONS } from './call-state.ts'

/** The whole table, arrow by arrow: from, event, role -> to, reason. What is not here must not exist. */
const ARROWS: [CallStatus, CallEvent, 'caller' | 'callee', CallStatus, string | null][] = [
  ['connecting', 'answer', 'callee', 'active', null],
  ['connecting', 'answer', 'caller', 'active', null],
  ['connecting', 'user_hangup', 'caller', 'ended', 'canceled'],
  ['connecting', 'user_hangup', 'callee', 'ended', 'declined'],
  ['connecting', 'busy', 'caller', 'ended', 'busy'],
  ['connecting', 'busy', 'callee', 'ended', 'busy'],
  ['connecting', 'timeout', 'caller', 'ended', 'no_answer'],
  ['connecting', 'timeout', 'callee', 'ended', 'no_answer'],
  ['connecting', 'connection_failed', 'caller', 'failed', 'connection_failed'],
  ['connecting', 'connection_failed', 'callee', 'failed', 'connection_failed'],
  ['active', 'user_hangup', 'caller', 'ended', 'hangup'],
  ['active', 'user_hangup', 'callee', 'ended', 'hangup'],
  ['active', 'timeout', 'caller', 'ended', 'timeout'],
  ['active', 'timeout', 'callee', 'ended', 'timeout'],
  ['active', 'connection_failed', 'caller', 'failed', 'connection_failed'],
  ['active', 'connection_failed', 'callee', 'failed', 'connection_failed'],
  ['active', 'peers_lost', 'caller', 'ended', 'peers_lost'],
  ['active', 'peers_lost', 'callee', 'ended', 'peers_lost'],
  ['active', 'setup_timeout', 'caller', 'failed', 'setup_timeout'],
  ['active', 'setup_timeout', 'callee', 'failed', 'setup_timeout'],
]
const EVENTS: CallEvent[] = [
  'answer',
  'user_hangup',
  'busy',
  'timeout',
  'connection_failed',
  'peers_lost',
  'setup_timeout',
]
const STATES = Object.keys(TRANSITIONS) as CallStatus[]

describe('nextState', () => {
  for (const from of STATES)
    for (const event of EVENTS)
      for (const role of ['caller', 'callee'] as const) {
        const arrow = ARROWS.find((each) => each[0] === from && each[1] === event && each[2] === role)
        const title = arrow ? `leads to ${arrow[3]} (${arrow[4]})` : 'leads nowhere'
        it(`${title} from ${from} by ${event} of the ${role}`, () => {
          expect(nextState(from, event, role)).to.deep.equal(arrow && { to: arrow[3], reason: arrow[4] })
        })
      }

  it('knows the states that an event can start from', () => {
    expect(statesBefore('answer')).to.deep.equal(['connecting'])
    expect(statesBefore('user_hangup')).to.deep.equal(['connecting', 'active'])
    expect(statesBefore('peers_lost')).to.deep.equal(['active'])
  })
})
