import { expect } from 'chai'
import { Decoder, type Packet, PacketType } from 'socket.io-parser'
import { textKeepingParser, textOf } from './text-keeping-parser.ts'

/** What decoders make of packets: theirs and ours. */
function decode(decoder: Decoder, packets: unknown[]): (Packet | string)[] {
  const decoded: (Packet | string)[] = []
  decoder.on('decoded', (packet) => decoded.push(packet))
  for (const packet of packets)
    try {
      decoder.add(packet)
    } catch (error) {
      decoded.push((error as Error).message)
    }
  return decoded
}

const PACKETS: Record<string, unknown[]> = {
  'a candidate': ['2["candidate",{"type":"candidate","candidate":"x"}]'],
  'an offer that wants to be acknowledged': ['217["offer",{"type":"offer"}]'],
  'spaces of all kinds': ['2["answer", {"type" :\n"answer"} ]'],
  'several payloads': ['2["offer",{"type":"offer"},{"b":1}]'],
  'no payload': ['2["offer"]'],
  'a payload that is none': ['2["offer",null]', '2["offer",7]', '2["offer","x"]', '2["offer",[1]]'],
  'another event': ['2["other",{"a":1}]', '2["disconnect",{}]'],
  'a name that only begins alike': ['2["offer","x",{"a":1}]', '2["of\\u0066er",{"a":1}]'],
  'another namespace': ['2/x,["offer",{"type":"offer"}]'],
  'a connect and a disconnect': ['0{"token":"t"}', '1'],
  'an acknowledgement': ['312["offer",{"a":1}]'],
  'what is broken': ['2["offer",{"type":"offer"}', '2["offer",{]', '2["offer",{}}]', '', '9', '2', '2-5["offer",{}]'],
  'bytes of a wrong kind': ['511-["offer",{}]', '50-["offer",{}]', Buffer.from('x')],
}

describe('text-keeping parser', () => {
  for (const [name, packets] of Object.entries(PACKETS))
    it(`reads ${name} as the library does`, () => {
      expect(decode(new textKeepingParser.Decoder(), packets)).to.deep.equal(decode(new Decoder(), packets))
    })

  it('waits for no attachment and keeps none', () => {
    const decoded = decode(new textKeepingParser.Decoder(), [
      '52-7["offer",{"sdp":{"_placeholder":true,"num":1}}]',
      Buffer.from('one'),
      '2["offer",{"type":"offer"}]',
      Buffer.from('two'),
      '2["offer",{"type":"offer"}]',
    ])

    const event = { type: PacketType.EVENT, nsp: '/' }
    expect(decoded.map((packet) => (typeof packet === 'string' ? packet : { ...packet }))).to.deep.equal([
      { ...event, id: 7, data: ['offer', { sdp: Buffer.alloc(0) }] },
      'An attachment must come',
      { ...event, data: ['offer', { type: 'offer' }] },
    ])
  })

  it("keeps the text of signaling's events as it came", () => {
    const text = '{"type":"candidate", "candidate":"\\u0041","n":1.0,"n":2}'
    const [packet] = decode(new textKeepingParser.Decoder(), [`2["candidate",${text}]`]) as Packet[]
    const [, payload] = packet?.data ?? []
    expect(textOf(payload)).to.equal(text)
    expect(payload).to.deep.equal(JSON.parse(text))
  })

  it('keeps no text where there may be more than one payload, or another event', () => {
    const decoded = decode(new textKeepingParser.Decoder(), [
      '2["candidate",{"a":1},{"b":2}]',
      '2["other",{"a":1}]',
    ]) as Packet[]
    expect(decoded.map(({ data }) => textOf(data?.[1]))).to.deep.equal([undefined, undefined])
  })
})
