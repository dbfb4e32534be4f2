import { expect } from 'chai'
import { type FrameFault, FrameReader, type FrameRules } from './frame-reader.ts'

const [CONTINUATION, TEXT, CLOSE, PING] = [0, 1, 8, 9]

/** A client's frame with a mask of zeros. */
function frame(opcode: number, payload = '', fin = true): Buffer {
  const bytes = Buffer.from(payload)
  const long = bytes.length > 125
  const head = Buffer.from([(fin ? 0x80 : 0) | opcode, 0x80 | (long ? 126 : bytes.length)])
  const length = long ? Buffer.from([bytes.length >> 8, bytes.length & 0xff]) : Buffer.alloc(0)
  return Buffer.concat([head, length, Buffer.alloc(4), bytes])
}

describe('FrameReader', () => {
  let taken: Buffer[]
  let faults: FrameFault[]
  let isOpen: boolean
  let isTerminated: boolean
  let left: number
  let reader: FrameReader

  beforeEach(() => {
    taken = []
    faults = []
    isOpen = true
    isTerminated = false
    left = 1000
    const rules: FrameRules = {
      messageMaxBytes: 1000,
      finishMs: 2000,
      admit: () => left-- > 0,
      refuse: (fault) => faults.push(fault),
    }
    reader = new FrameReader(rules, {
      isOpen: () => isOpen,
      take: (bytes) => taken.push(bytes) > 0,
      terminate: () => {
        isTerminated = true
      },
    })
  })

  const all = Buffer.concat([
    frame(TEXT, 'one'),
    frame(PING, 'p'),
    frame(TEXT, 'x'.repeat(300), false),
    frame(PING),
    frame(CONTINUATION, 'end'),
  ])

  for (const size of [1, 2, 3, 7, 130, 10_000])
    it(`hands on whole frames where they come in pieces of ${size}`, () => {
      for (let at = 0; at < all.length; at += size) reader.read(all.subarray(at, at + size))

      expect(Buffer.concat(taken)).to.deep.equal(all)
      expect(taken).to.have.length(5)
      expect(reader.isUnfinished).to.equal(false)
    })

  it('keeps no part of what was read with a fragment', () => {
    const chunk = Buffer.concat([frame(TEXT, 'a', false), Buffer.alloc(60_000, frame(PING))])

    reader.read(chunk)

    expect(taken[0]?.buffer.byteLength).to.equal(taken[0]?.length)
  })

  it('keeps what has come of a frame, not what it announces', () => {
    reader.read(frame(TEXT, 'x'.repeat(900)).subarray(0, 10))

    expect(reader.isUnfinished).to.equal(true)
    expect(taken).to.deep.equal([])
  })

  it('refuses a message at the head of the frame that makes it too large, and goes on to the close frame', () => {
    const close = frame(CLOSE, '\u0003\u00e8')
    reader.read(
      Buffer.concat([frame(TEXT, 'x'.repeat(600), false), frame(CONTINUATION, 'x'.repeat(600)).subarray(0, 50)]),
    )
    expect(faults).to.deep.equal(['too-large'])

    reader.read(Buffer.concat([frame(CONTINUATION, 'x'.repeat(600)).subarray(50), frame(TEXT, 'more'), close]))

    expect(faults).to.deep.equal(['too-large'])
    expect(taken.slice(1)).to.deep.equal([close])
  })

  it('counts every frame, and refuses once', () => {
    left = 2

    reader.read(Buffer.concat([frame(PING), frame(TEXT, '', false), frame(CONTINUATION, '', false), frame(PING)]))

    expect(taken).to.have.length(2)
    expect(faults).to.deep.equal(['flood'])
  })

  it('refuses a message in more than 128 fragments', () => {
    reader.read(frame(TEXT, '', false))
    for (let count = 1; count < 128; count++) reader.read(frame(CONTINUATION, '', false))
    expect(faults).to.deep.equal([])

    reader.read(frame(CONTINUATION, ''))

    expect(faults).to.deep.equal(['flood'])
  })

  it('refuses a message that is unfinished for too many looks, whatever comes between', () => {
    reader.read(frame(TEXT, 'a', false))
    for (let look = 0; look < 4; look++) {
      reader.look(500)
      reader.read(frame(PING))
    }
    expect(faults).to.deep.equal([])

    reader.look(500)

    expect(faults).to.deep.equal(['slow'])
  })

  it('stops reading a client that goes on sending after it was refused, and ends it once it had time to read why', () => {
    left = 0
    reader.read(frame(PING))
    let wantsMore = true
    for (let sent = 0; sent < 2000 && wantsMore; sent++) wantsMore = reader.read(frame(TEXT, 'x'.repeat(900)))

    expect(wantsMore).to.equal(false)
    for (let look = 0; look < 6; look++) reader.look(500)
    expect(isTerminated).to.equal(false)

    reader.look(500)

    expect(isTerminated).to.equal(true)
    expect(taken).to.deep.equal([])
  })

  it('leaves what breaks the protocol to the library', () => {
    const unmasked = Buffer.from([0x81, 0x01, 0x41])

    reader.read(Buffer.concat([unmasked, frame(TEXT, 'more')]))

    expect(taken).to.have.length(1)
    expect(faults).to.deep.equal([])
  })
})
