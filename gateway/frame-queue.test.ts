import { expect } from 'chai'
import { FrameQueue, WriteSchedule } from './frame-queue.ts'

describe('frame queue', () => {
  const written: string[][] = []
  let queue: FrameQueue
  /** Resolves with the next write. */
  let nextWrite: Promise<void>
  beforeEach(() => {
    written.length = 0
    nextWrite = new Promise((resolve) => {
      queue = new FrameQueue(new WriteSchedule(), (texts) => {
        written.push(texts)
        resolve()
      })
    })
  })

  it('writes what one turn has for a client at once, when the turn is over', async () => {
    queue.push('a')
    queue.push('b')
    expect(written).to.deep.equal([])
    await nextWrite
    expect(written).to.deep.equal([['a', 'b']])
  })

  it('lets what is in no hurry leave with what follows, in order', async () => {
    queue.pushLate('ack')
    queue.push('message')
    await nextWrite
    expect(written).to.deep.equal([['ack', 'message']])
  })

  it('writes what is in no hurry by itself where nothing follows', async () => {
    queue.pushLate('ack 1')
    queue.pushLate('ack 2')
    await nextWrite
    expect(written).to.deep.equal([['ack 1', 'ack 2']])
  })

  it('goes on after a flush that came first', async () => {
    queue.pushLate('ack 1')
    queue.flush()
    expect(written).to.deep.equal([['ack 1']])
    const again = new Promise<void>((resolve) => {
      queue = new FrameQueue(new WriteSchedule(), (texts) => {
        written.push(texts)
        if (written.length === 3) resolve()
      })
    })
    queue.pushLate('ack 2')
    queue.flush()
    queue.pushLate('ack 3')
    await again
    expect(written).to.deep.equal([['ack 1'], ['ack 2'], ['ack 3']])
  })

  it('forgets what was thrown away', async () => {
    queue.push('lost')
    queue.clear()
    await new Promise((resolve) => setImmediate(resolve))
    expect(written).to.deep.equal([])
    expect(queue.length).to.equal(0)
  })
})
