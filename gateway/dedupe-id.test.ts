import { expect } from 'chai'
import { dedupeIdOf } from './dedupe-id.ts'

const DEVICES = ['', 'phone', 'a\nb', 'a', '"a\\nb"', '"a"', '"', '\ud800', '\udfff', '\ufffd', '*7:1']
const IDS = [
  1,
  -1,
  0,
  1.5,
  '1',
  '#1',
  '##1',
  '#',
  '##',
  '#-1',
  'b\n1',
  '\n',
  '\n1',
  '\n#1',
  'x|y',
  '%7C',
  '|',
  'é',
  'e\u0301',
]

/** Names go through Redis as UTF-8. */
const nameOf = (device: string, id: string | number) => Buffer.from(dedupeIdOf(device, id)).toString('hex')

describe('dedupe id', () => {
  it('differs wherever device, type or value of the id differ', () => {
    const pairs = DEVICES.flatMap((device) => IDS.map((id) => ({ device, id })))

    const names = new Map<string, string>()
    for (const { device, id } of pairs) {
      const pair = JSON.stringify([device, id])
      const name = nameOf(device, id)
      expect(names.get(name) ?? pair).to.equal(pair)
      names.set(name, pair)
    }
  })

  it('is what older versions wrote for ordinary devices and ids', () => {
    expect([dedupeIdOf('', 'a-1'), dedupeIdOf('phone', 7)]).to.deep.equal(['\na-1', 'phone\n#7'])
  })
})
