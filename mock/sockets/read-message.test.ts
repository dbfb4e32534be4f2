import { expect } from 'chai'
import { readMessage, repeatsName } from './read-message.ts'

const ID = '7d444840-9dc0-41d1-b245-5ffdce74fad2'

describe('messages, as a mock reads them', () => {
  it('know a name that is given twice, at any depth, also where it is escaped', () => {
    for (const json of [
      '{"type":"offer","type":"answer"}',
      '{"type":"offer","\\u0074ype":"answer"}',
      '{"a":[{"b":1,"c":{},"b":2}]}',
      '{"a:b":1,"a:b":2}',
    ])
      expect(repeatsName(json), json).to.equal(true)
    for (const json of [
      '{"a":{"a":1},"b":[{"a":1},{"a":2}]}',
      '{"a":"\\"a\\":","b":"{\\"b\\":1}"}',
      '[1,"a",{"a":null}]',
      '{}',
    ])
      expect(repeatsName(json), json).to.equal(false)
  })

  it('are refused with the name of the field that is wrong', () => {
    const offer = { type: 'offer', call_id: ID, from: ID, to: ID, sdp: 'v=0' }
    expect(readMessage(offer)).to.equal(offer)
    const wrong: [object, string][] = [
      [{ ...offer, type: 'dance' }, 'type'],
      [{ ...offer, sdp: undefined }, 'sdp'],
      [{ ...offer, to: 'somebody' }, 'to'],
      [{ ...offer, id: 2 ** 53 }, 'id'],
      [{ ...offer, id: '' }, 'id'],
      [{ type: 'candidate', call_id: ID, from: ID, to: ID, candidate: '', sdp_m_line_index: -1 }, 'sdp_m_line_index'],
    ]
    for (const [message, field] of wrong)
      expect(() => readMessage(message), field)
        .to.throw()
        .with.nested.property('details.field', field)
    for (const none of [null, [], 'text']) expect(() => readMessage(none)).to.throw('A message must be an object')
  })
})
