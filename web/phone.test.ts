import { expect } from 'chai'
import type { CallState } from '../client/public-api.ts'
import { callLine } from './parts/call-line.ts'
import { type CallView, soundOf } from './phone.ts'

const CALL = {} as NonNullable<CallView['call']>

function view(direction: 'outgoing' | 'incoming', state: Partial<CallState> | undefined, answering = false) {
  const whole: CallState = { phase: 'ringing', reconnecting: false, peerPresent: false, muted: false, cameraOn: false }
  return { call: CALL, direction, answering, state: state && { ...whole, ...state } }
}

describe('a call that nobody has answered', () => {
  it('rings at the callee until it is answered here', () => {
    expect(soundOf(view('incoming', {}))).to.equal('incoming')
    expect(soundOf(view('incoming', {}, true))).to.equal(undefined)
    expect(soundOf(view('incoming', { phase: 'connecting' }))).to.equal(undefined)
  })

  it('sounds at the caller only once it really rings', () => {
    expect(soundOf(view('outgoing', undefined))).to.equal(undefined)
    expect(soundOf(view('outgoing', {}))).to.equal(undefined)
    expect(soundOf(view('outgoing', { ringState: 'unreachable' }))).to.equal(undefined)
    expect(soundOf(view('outgoing', { ringState: 'ringing' }))).to.equal('outgoing')
    expect(soundOf(view('outgoing', { phase: 'active' }))).to.equal(undefined)
  })

  it('says what it is at', () => {
    expect(callLine({ ...view('outgoing', undefined), call: undefined })).to.match(/^Waiting for microphone/)
    expect(callLine(view('outgoing', {}))).to.equal('Calling…')
    expect(callLine(view('outgoing', { ringState: 'ringing' }))).to.equal('Ringing…')
    expect(callLine(view('outgoing', { ringState: 'unreachable' }))).to.match(/^No device answers yet/)
    expect(callLine(view('incoming', {}))).to.equal('Calling you')
    expect(callLine(view('incoming', {}, true))).to.equal('Connecting…')
    expect(callLine(view('outgoing', { phase: 'active' }))).to.equal('Connected')
    expect(callLine(view('outgoing', { phase: 'active', reconnecting: true }))).to.equal('Reconnecting…')
  })
})
