import { expect } from 'chai'
import { RecordRing } from './record-ring.ts'

const MINUTE = 60_000
const texts = (ring: RecordRing, now: number) => ring.take(now).map(({ text }) => text)

describe('record ring', () => {
  it('gives texts back in order, with their times, once', () => {
    const ring = new RecordRing({ keepMs: MINUTE, keepBytes: 1 << 20 })
    ring.add('one', 1.5)
    ring.add('zwei €😀\n', 2)
    ring.add('', 3)
    expect(ring.take(4)).to.deep.equal([
      { text: 'one', at: 1.5 },
      { text: 'zwei €😀\n', at: 2 },
      { text: '', at: 3 },
    ])
    expect(ring.take(4)).to.deep.equal([])
  })

  it('forgets what is too old', () => {
    const ring = new RecordRing({ keepMs: MINUTE, keepBytes: 1 << 20 })
    ring.add('old', 0)
    ring.add('new', 30_000)
    expect(texts(ring, MINUTE + 1)).to.deep.equal(['new'])
  })

  it('keeps the newest within its bytes', () => {
    const ring = new RecordRing({ keepMs: MINUTE, keepBytes: 1 << 20 })
    for (let number = 0; number < 5000; number++) ring.add(`${number} ${'x'.repeat(1000)}`, number)
    const kept = texts(ring, 5000)
    const numbers = kept.map((text) => Number(text.split(' ')[0]))
    expect(numbers.at(-1)).to.equal(4999)
    expect(numbers).to.deep.equal(Array.from({ length: numbers.length }, (_, index) => 5000 - numbers.length + index))
    expect(numbers.length).to.be.within(600, 1048)
  })

  it('takes texts that are larger than a chunk', () => {
    const ring = new RecordRing({ keepMs: MINUTE, keepBytes: 1 << 20 })
    const large = '€'.repeat(200_000)
    ring.add('small', 0)
    ring.add(large, 1)
    expect(texts(ring, 2)).to.deep.equal(['small', large])
  })
})
