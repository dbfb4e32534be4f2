import { expect } from 'chai'
import * as ws from 'ws'
import { encodeTextFrames } from './text-frames.ts'

/** The library publishes its reader, its types do not. */
type Reader = new (options: { isServer: boolean }) => import('node:stream').Writable
const { Receiver } = ws as unknown as { Receiver: Reader }

/** Reads frames with the library that clients use. */
function read(frames: Buffer): string[] {
  const texts: string[] = []
  const receiver = new Receiver({ isServer: false })
  receiver.on('message', (data: Buffer, isBinary: boolean) => texts.push(isBinary ? 'binary' : data.toString('utf8')))
  receiver.on('error', (error: Error) => texts.push(error.message))
  receiver.write(frames)
  return texts
}

describe('text frames', () => {
  for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
    it(`carry a text of ${length} characters`, () => {
      const text = 'x'.repeat(length)
      expect(read(encodeTextFrames([text]))).to.deep.equal([text])
    })

  // The length is known only when the text is written: each of these has more bytes than its characters announce.
  for (const text of ['ü'.repeat(100), '€'.repeat(43), '😀'.repeat(60), '€'.repeat(30_000), 'a\u0000b', '\ud800'])
    it(`carry ${text.length} characters of ${Buffer.byteLength(text)} bytes`, () => {
      expect(read(encodeTextFrames([text]))).to.deep.equal([Buffer.from(text).toString()])
    })

  it('keep several texts apart and in order', () => {
    const texts = ['one', 'zwei€'.repeat(60), '', 'x'.repeat(70_000), 'end']
    expect(read(encodeTextFrames(texts))).to.deep.equal(texts)
  })
})
