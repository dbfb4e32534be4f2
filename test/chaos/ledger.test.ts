/** The books themselves: each fault that a relay can have is counted as that fault. */
import { expect } from 'chai'
import { Ledger } from './ledger.ts'
import { faultsOf } from './report.ts'

const CALL = 'call'

/** A book in which `a` sent three messages, all acknowledged, and `b` got the given ones. */
function bookWith(...received: { number: number; seq?: string; sentIn?: string; sender?: string }[]) {
  const ledger = new Ledger()
  ledger.open(CALL, 'raw / raw')
  for (const number of [1, 2, 3]) {
    ledger.sent(CALL, 'a', number, false)
    ledger.acked(CALL, 'a', number, `7-${number}`)
  }
  for (const message of received)
    ledger.delivered(CALL, 'b', { sentIn: CALL, sender: 'a', seq: `7-${message.number}`, ...message })
  return ledger
}

describe('the ledger', () => {
  const all = [{ number: 1 }, { number: 2 }, { number: 3 }]

  it('finds nothing wrong with what came once and in order', () => {
    const ledger = bookWith(...all)

    expect(ledger.isSettled).to.equal(true)
    expect(faultsOf(ledger.verdict())).to.deep.equal([])
    expect(ledger.evidence()).to.equal('')
  })

  it('counts an acknowledged message that never came as lost, and shows its call', () => {
    const ledger = bookWith({ number: 1 }, { number: 3 })

    expect(ledger.isSettled).to.equal(false)
    expect(faultsOf(ledger.verdict())).to.deep.equal(['1 lost'])
    expect(ledger.evidence()).to.include('lost from a: #2').and.include('ack #2 7-2')
  })

  it('counts a message that nobody acknowledged, delivered or not', () => {
    const ledger = bookWith(...all, { number: 4 })
    ledger.sent(CALL, 'a', 4, false)

    expect(ledger.isSettled).to.equal(false)
    expect(faultsOf(ledger.verdict())).to.deep.equal(['1 unsettled'])
  })

  it('counts a message that came twice', () => {
    expect(faultsOf(bookWith(...all, { number: 2 }).verdict())).to.deep.equal(['1 doubled'])
    expect(faultsOf(bookWith(...all, { number: 2, seq: '7-3' }).verdict())).to.deep.equal(['1 doubled'])
  })

  it('excuses a second time where the first one came before the message was kept', () => {
    const once = bookWith({ number: 1 }, { number: 2, seq: '7-1' }, { number: 2 }, { number: 3 })
    const twice = bookWith({ number: 1 }, { number: 2, seq: '7-1' }, { number: 2 }, { number: 2 }, { number: 3 })

    expect(once.verdict()).to.include({ doubled: 0, doubledAfterDirect: 1, direct: 1 })
    expect(faultsOf(once.verdict())).to.deep.equal([])
    expect(faultsOf(twice.verdict())).to.deep.equal(['1 doubled'])
  })

  it('excuses a second time where the recipient was told that something may be missing', () => {
    const ledger = bookWith(...all)
    ledger.gapTold(CALL, 'b')
    ledger.delivered(CALL, 'b', { sentIn: CALL, sender: 'a', number: 3, seq: '8-1' })

    expect(ledger.verdict()).to.include({ doubled: 0, doubledAfterGap: 1, gapsTold: 1 })
  })

  it('counts a message that came after a later one', () => {
    expect(faultsOf(bookWith({ number: 2 }, { number: 1 }, { number: 3 }).verdict())).to.deep.equal(['1 reordered'])
  })

  it('counts what came to the wrong call or side', () => {
    const ledger = bookWith(...all, { number: 1, sentIn: 'another' }, { number: 1, sender: 'b' })

    expect(faultsOf(ledger.verdict())).to.deep.equal(['2 strangers'])
    expect(ledger.evidence()).to.include('another')
  })
})
