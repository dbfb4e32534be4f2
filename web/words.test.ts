import { expect } from 'chai'
import { endSentence, faultSentence, historyWord, isMissed } from './words.ts'

describe('words of the page', () => {
  it('tell the two sides of one end apart', () => {
    expect(endSentence('canceled', 'outgoing', 'Bob')).to.equal('You cancelled the call')
    expect(endSentence('canceled', 'incoming', 'Bob')).to.equal('Missed call from Bob')
    expect(endSentence('declined', 'outgoing', 'Bob')).to.equal('Bob declined')
    expect(endSentence('declined', 'incoming', 'Bob')).to.equal('You declined')
    expect(endSentence('busy', 'outgoing', 'Bob')).to.equal('Bob is busy')
    expect(endSentence('busy', 'incoming', 'Bob')).to.equal('Missed call from Bob')
    expect(endSentence('no_answer', 'outgoing', 'Bob')).to.equal('Bob did not answer')
    expect(endSentence('hangup', 'incoming', 'Bob')).to.equal('Call ended')
  })

  it('call missed what rang here in vain alone', () => {
    expect(isMissed('no_answer', 'incoming')).to.equal(true)
    expect(isMissed('canceled', 'incoming')).to.equal(true)
    expect(isMissed('declined', 'incoming')).to.equal(false)
    expect(isMissed('answered_elsewhere', 'incoming')).to.equal(false)
    expect(isMissed('no_answer', 'outgoing')).to.equal(false)
  })

  it('name what a call in the history came to', () => {
    expect(historyWord({ status: 'completed', end_reason: 'hangup' }, true)).to.equal('Completed')
    expect(historyWord({ status: 'missed', end_reason: 'declined' }, false)).to.equal('Declined')
    expect(historyWord({ status: 'missed', end_reason: 'no_answer' }, false)).to.equal('Missed')
    expect(historyWord({ status: 'missed', end_reason: 'no_answer' }, true)).to.equal('No answer')
    expect(historyWord({ status: 'missed', end_reason: 'canceled' }, true)).to.equal('Cancelled')
    expect(historyWord({ status: 'failed', end_reason: 'connection_failed' }, true)).to.equal('Failed')
  })

  it('say who of the two is busy', () => {
    expect(faultSentence({ code: 'USER_ALREADY_IN_CALL' }, 'Bob')).to.equal('Bob is in another call.')
    expect(faultSentence({ code: 'USER_ALREADY_IN_CALL', details: { call_id: 'c' } }, 'Bob')).to.match(/^You are/)
  })

  it('say what to do about a microphone, by what the browser says', () => {
    const refusal = (name: string) =>
      faultSentence({ code: 'MEDIA_UNAVAILABLE', cause: Object.assign(new Error(), { name }) }, 'Bob')

    expect(refusal('NotAllowedError')).to.match(/Allow/)
    expect(refusal('NotFoundError')).to.match(/no microphone/)
    expect(refusal('NotReadableError')).to.match(/in use/)
    expect(refusal('SecurityError')).to.match(/https or localhost/)
    expect(refusal('Else')).to.match(/cannot be used/)
  })

  it('say when to try again', () => {
    expect(faultSentence({ code: 'RATE_LIMITED', retryAfterMs: 41_200 }, 'Bob')).to.match(/in 42 s/)
    expect(faultSentence({ code: 'RATE_LIMITED' }, 'Bob')).to.match(/in a minute/)
    expect(faultSentence({ code: 'SOMETHING_NEW' }, 'Bob')).to.match(/Try again/)
  })
})
