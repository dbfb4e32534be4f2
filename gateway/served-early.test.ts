import { expect } from 'chai'
import type { Entry } from '../core/rooms/room.ts'
import { ServedEarly } from './served-early.ts'

const entry = (number: number, body: string): Entry => ({ to: 'b', epoch: '1', number, previous: number - 1, body })

describe('ServedEarly', () => {
  it('takes an entry once, after the reply of its flush', () => {
    const served = new ServedEarly()
    served.add('x')
    served.numbered(entry(1, 'x'))

    expect([served.take(entry(1, 'x')), served.take(entry(1, 'x')), served.take(entry(2, 'x'))]).to.deep.equal([
      true,
      false,
      false,
    ])
  })

  it('takes an entry once, where the log is read before the reply', () => {
    const served = new ServedEarly()
    served.add('x')

    const taken = [served.take(entry(1, 'x')), served.take(entry(2, 'x'))]
    served.numbered(entry(1, 'x'))

    expect([...taken, served.take(entry(3, 'x'))]).to.deep.equal([true, false, false])
  })

  it('takes as many equal bodies as were handed over', () => {
    const served = new ServedEarly()
    served.add('x')
    served.add('x')

    expect([1, 2, 3].map((number) => served.take(entry(number, 'x')))).to.deep.equal([true, true, false])
  })

  it('forgets a body that got no number', () => {
    const served = new ServedEarly()
    served.add('x')
    served.forget('x')

    expect(served.take(entry(1, 'x'))).to.equal(false)
  })
})
