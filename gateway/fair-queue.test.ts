import { expect } from 'chai'
import { FairQueue, type Queued } from './fair-queue.ts'

interface Item extends Queued {
  name: string
}

const KIB = 1024

function add(queue: FairQueue<Item>, callId: string, count: number, bytes: number): number {
  let added = 0
  while (added < count && queue.reserve(callId, bytes)) {
    queue.push({ callId, bytes, name: `${callId}${added}` })
    added += 1
  }
  return added
}
const names = (items: Iterable<Item>) => [...items].map(({ name }) => name)

describe('fair queue', () => {
  it('takes from calls in turn, each in its order', () => {
    const queue = new FairQueue<Item>()
    add(queue, 'a', 5, 40 * KIB)
    add(queue, 'b', 1, KIB)
    add(queue, 'c', 3, KIB)

    expect(names(queue.take(7, 1024 * KIB))).to.deep.equal(['a0', 'a1', 'b0', 'c0', 'c1', 'c2', 'a2'])
    expect(names(queue.take(7, 1024 * KIB))).to.deep.equal(['a3', 'a4'])
    expect([queue.size, queue.take(7, KIB).length]).to.deep.equal([0, 0])
  })

  it('is bounded in bytes for each take, but takes one message always', () => {
    const queue = new FairQueue<Item>()
    add(queue, 'a', 20, 65 * KIB)

    expect(queue.take(256, 200 * KIB)).to.have.length(4)
    expect(queue.take(256, 1)).to.have.length(1)
    expect(queue.size).to.equal(15)
  })

  it('serves a call with one message within the next take, whatever others have waiting', () => {
    const queue = new FairQueue<Item>()
    for (const call of ['a', 'b', 'c']) add(queue, call, 1000, 65 * KIB)
    queue.take(256, 512 * KIB)
    add(queue, 'small', 1, KIB)

    expect(names(queue.take(256, 512 * KIB))).to.include('small0')
  })

  it('puts back what was taken, in front', () => {
    const queue = new FairQueue<Item>()
    add(queue, 'a', 3, KIB)
    add(queue, 'b', 2, KIB)
    const taken = queue.take(4, 100 * KIB)

    queue.putBack(taken)

    expect(queue.size).to.equal(5)
    const all = names(queue.take(10, 100 * KIB))
    expect(all.filter((name) => name.startsWith('a'))).to.deep.equal(['a0', 'a1', 'a2'])
    expect(all.filter((name) => name.startsWith('b'))).to.deep.equal(['b0', 'b1'])
  })

  it('gives a call its share of the room, and keeps room for calls with little waiting', () => {
    const queue = new FairQueue<Item>()
    for (const call of ['a', 'b', 'c', 'd', 'e'])
      expect(add(queue, call, 1000, 65 * KIB)).to.be.within(call < 'e' ? 90 : 0, 95)

    expect(queue.reserve('a', 65 * KIB)).to.equal(false)
    expect(add(queue, 'small', 10, KIB)).to.equal(10)
    expect(queue.reserve('large', 200 * KIB)).to.equal(false)
  })

  it('has room again for what was released', () => {
    const queue = new FairQueue<Item>()
    const full = add(queue, 'a', 1000, 65 * KIB)
    const taken = queue.take(10, 1024 * KIB)
    expect(queue.reserve('a', 65 * KIB)).to.equal(false, 'taken is not released')
    for (const { callId, bytes } of taken) queue.release(callId, bytes)

    expect(add(queue, 'a', 1000, 65 * KIB)).to.equal(taken.length)
    for (const { callId, bytes } of queue.take(1000, 1e9)) queue.release(callId, bytes)
    expect(add(queue, 'a', 1000, 65 * KIB)).to.equal(full)
  })

  it('takes out what is wanted and leaves the rest in order', () => {
    const queue = new FairQueue<Item>()
    add(queue, 'a', 3, KIB)
    add(queue, 'b', 1, KIB)

    expect(names(queue.extract(({ name }) => name === 'a1' || name === 'b0'))).to.deep.equal(['a1', 'b0'])
    expect([names(queue), queue.size]).to.deep.equal([['a0', 'a2'], 2])
  })
})
