/** RFC 6455 on the raw path, frame by frame: what a correct client may do, and what ends an incorrect one. */
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newCall, type TestCall } from '../support/calls.ts'
import { sharedCluster } from '../support/clusters.ts'
import { destroyAllWires, encodeClose, encodeFrame, OPCODE, Wire } from './wire.ts'

const { CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG } = OPCODE
/** The product's limits: a larger message is refused, a much larger one is not even read. */
const MAX_MESSAGE_BYTES = 64 * 1024
const READ_MAX_BYTES = 256 * 1024
/** Fragments of one message, and of all frames at once. */
const FRAGMENTS_MAX = 128
/** As many connections as a user may have to one call. */
const CONNECTIONS_PER_USER = 5

/** Frames that no correct client sends, and the close code that RFC 6455 has for them. */
const VIOLATIONS: Record<string, [code: number, ...frames: Buffer[]]> = {
  'an unmasked frame': [1002, encodeFrame(TEXT, '{}', { masked: false })],
  'an unmasked ping': [1002, encodeFrame(PING, '', { masked: false })],
  'reserved bit 1, as compression sets it': [1002, encodeFrame(TEXT, '{}', { reserved: 4 })],
  'reserved bit 2': [1002, encodeFrame(TEXT, '{}', { reserved: 2 })],
  'reserved bit 3': [1002, encodeFrame(TEXT, '{}', { reserved: 1 })],
  'the reserved opcode 3': [1002, encodeFrame(3, '{}')],
  'the reserved opcode 7': [1002, encodeFrame(7, '{}')],
  'the reserved control opcode 11': [1002, encodeFrame(11)],
  'the reserved control opcode 15': [1002, encodeFrame(15)],
  'a ping of 126 bytes': [1002, encodeFrame(PING, 'x'.repeat(126))],
  'a pong of 126 bytes': [1002, encodeFrame(PONG, 'x'.repeat(126))],
  'a close frame of 126 bytes': [1002, encodeFrame(CLOSE, encodeClose(1000, 'x'.repeat(124)))],
  'a ping in fragments': [1002, encodeFrame(PING, '', { fin: false })],
  'a continuation of nothing': [1002, encodeFrame(CONTINUATION, '{}')],
  'a new text within a fragmented one': [1002, encodeFrame(TEXT, '{', { fin: false }), encodeFrame(TEXT, '}')],
  'a continuation after the last fragment': [
    1002,
    encodeFrame(TEXT, '{', { fin: false }),
    encodeFrame(CONTINUATION, '}'),
    encodeFrame(CONTINUATION, '}'),
  ],
  'a close frame with one byte': [1002, encodeFrame(CLOSE, Buffer.from([3]))],
  'close code 999': [1002, encodeFrame(CLOSE, encodeClose(999))],
  'close code 1004': [1002, encodeFrame(CLOSE, encodeClose(1004))],
  'close code 1005': [1002, encodeFrame(CLOSE, encodeClose(1005))],
  'close code 1006': [1002, encodeFrame(CLOSE, encodeClose(1006))],
  'close code 1015': [1002, encodeFrame(CLOSE, encodeClose(1015))],
  'close code 2999': [1002, encodeFrame(CLOSE, encodeClose(2999))],
  'close code 5000': [1002, encodeFrame(CLOSE, encodeClose(5000))],
  'a close reason that is no UTF-8': [1007, encodeFrame(CLOSE, encodeClose(1000, Buffer.from([0xc3, 0x28])))],
  'a text that is no UTF-8': [1007, encodeFrame(TEXT, Buffer.from([0x22, 0xc3, 0x28, 0x22]))],
  'a text with half a surrogate pair': [1007, encodeFrame(TEXT, Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]))],
  'a text with an overlong character': [1007, encodeFrame(TEXT, Buffer.from([0x22, 0xc0, 0xaf, 0x22]))],
  'a text that ends within a character': [1007, encodeFrame(TEXT, Buffer.from([0x22, 0xe2, 0x82]))],
  'fragments that are no UTF-8 together': [
    1007,
    encodeFrame(TEXT, Buffer.from([0x22, 0xe2]), { fin: false }),
    encodeFrame(CONTINUATION, Buffer.from([0x28, 0xa1, 0x22])),
  ],
  'a frame of more than can be read': [1009, encodeFrame(TEXT, 'x'.repeat(READ_MAX_BYTES + 1))],
  'fragments of more than can be read': [
    1009,
    encodeFrame(TEXT, 'x'.repeat(READ_MAX_BYTES / 2), { fin: false }),
    encodeFrame(CONTINUATION, 'x'.repeat(READ_MAX_BYTES / 2), { fin: false }),
    encodeFrame(CONTINUATION, 'x', { fin: false }),
  ],
  'the announcement of 2^53 bytes': [1009, Buffer.from([0x81, 0xff, 0, 0x20, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])],
}

/** A text in so many frames, as equal as they can be. */
function inFragments(text: string, count: number): Buffer[] {
  const size = Math.ceil(text.length / count)
  const parts = text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? []
  return parts.map((part, index) =>
    encodeFrame(index === 0 ? TEXT : CONTINUATION, part, { fin: index === parts.length - 1 }),
  )
}

/** Upgrade requests that are none, and the status that answers them. */
const BAD_UPGRADES: Record<string, [statuses: number[], headers: Record<string, string | undefined>, method?: string]> =
  {
    'version 12': [[400, 426], { 'Sec-WebSocket-Version': '12' }],
    'no version': [[400, 426], { 'Sec-WebSocket-Version': undefined }],
    'no key': [[400], { 'Sec-WebSocket-Key': undefined }],
    'a key of 15 bytes': [[400], { 'Sec-WebSocket-Key': Buffer.alloc(15).toString('base64') }],
    'a key that is no base64': [[400], { 'Sec-WebSocket-Key': '!'.repeat(24) }],
    'another protocol': [[400, 426], { Upgrade: 'h2c' }],
    'no Upgrade header': [[400, 426], { Upgrade: undefined, Connection: undefined }],
    'POST as its method': [[400, 405], {}, 'POST'],
  }

/** HAProxy parses these as no HTTP at all and answers with a page of its own, which no setting replaces. */
const REFUSED_BY_HAPROXY = ['no key', 'a key of 15 bytes']

for (const entry of ['a gateway', 'the edge'] as const) {
  describe(`RFC 6455 at ${entry}`, () => {
    let cluster: Cluster
    let call: TestCall
    let url: string

    before(async function () {
      this.timeout(60_000)
      cluster = await sharedCluster()
    })
    // One for each test: it rings for 45 s, and a busy machine may take longer for all of them.
    beforeEach(async () => {
      call = await newCall(cluster)
      const origin = entry === 'the edge' ? cluster.url : cluster.gateway(0).url
      url = `${origin}/ws/signaling/${call.id}?token=${call.caller.token}`
    })
    afterEach(destroyAllWires)

    const join = () => JSON.stringify({ type: 'join-room', call_id: call.id, user_id: call.caller.id })
    const isJoined = (text: string) => text.startsWith('{"type":"user-joined"')

    it('accepts the key and agrees to no extension and no subprotocol', async () => {
      const wire = await Wire.open(url, {
        'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits',
      })

      expect(wire.answer.headers.upgrade?.toLowerCase()).to.equal('websocket')
      expect(wire.answer.headers.connection?.toLowerCase()).to.equal('upgrade')
      expect(wire.answer.headers).to.not.have.any.keys('sec-websocket-extensions', 'sec-websocket-protocol')
    })

    it('reads frames that come with the handshake, many at once, or byte by byte', async () => {
      const wire = await Wire.open(url)

      wire.write(Buffer.concat([encodeFrame(TEXT, join()), encodeFrame(PING, 'a'), encodeFrame(PING, 'b')]))
      await wire.nextText(isJoined)
      for (const byte of encodeFrame(TEXT, join())) wire.write(Buffer.from([byte]))

      await wire.nextText(isJoined)
    })

    it('puts fragments together, with control frames between them and cuts within characters', async () => {
      const wire = await Wire.open(url)
      wire.sendText(join())
      await wire.nextText(isJoined)
      const callee = await call.callee.joinAs()
      const sdp = 'v=0 ☎ 📞 é'
      const ids = { call_id: call.id, from: call.caller.id, to: call.callee.id }
      const bytes = Buffer.from(JSON.stringify({ type: 'offer', ...ids, sdp }))
      // Inside the first of the three bytes of the telephone.
      const cut = bytes.indexOf(Buffer.from('☎')) + 1

      wire.send(TEXT, bytes.subarray(0, cut), { fin: false })
      wire.send(PING, 'between')
      wire.send(CONTINUATION, '', { fin: false })
      wire.send(CONTINUATION, bytes.subarray(cut, cut + 1), { fin: false })
      wire.send(PONG, 'unasked')
      wire.send(CONTINUATION, bytes.subarray(cut + 1))

      expect((await callee.next('offer')).sdp).to.equal(sdp)
      for (let frame = await wire.next(); frame?.opcode !== PONG; frame = await wire.next()) {
        if (frame === undefined) throw new Error('The ping between the fragments was not answered')
      }
      await callee.close()
    })

    it('takes a message in as many fragments as allowed, and one as large as allowed in two', async () => {
      const wire = await Wire.open(url)
      const padded = (length: number) => join().replace('}', `,"padding":"${'x'.repeat(length)}"}`)
      const small = padded(4 * FRAGMENTS_MAX - padded(0).length)

      wire.write(Buffer.concat(inFragments(small, FRAGMENTS_MAX)))
      await wire.nextText(isJoined)
      const large = padded(MAX_MESSAGE_BYTES - padded(0).length)
      wire.send(TEXT, large.slice(0, 60_000), { fin: false })
      wire.send(CONTINUATION, large.slice(60_000))

      await wire.nextText(isJoined)
    })

    it('closes with 1008 on a message in more fragments', async () => {
      const wire = await Wire.open(url)

      wire.write(Buffer.concat(inFragments('x'.repeat(4 * FRAGMENTS_MAX), 2 * FRAGMENTS_MAX)))

      expect(await wire.nextText()).to.include('RATE_LIMITED')
      expect(await wire.nextClose()).to.equal(1008)
    })

    it('answers fragments of more than 64 KiB together by an error and 1009', async () => {
      const wire = await Wire.open(url)

      wire.send(TEXT, 'x'.repeat(MAX_MESSAGE_BYTES), { fin: false })
      wire.send(CONTINUATION, 'x')

      expect(await wire.nextText()).to.include('INVALID_REQUEST')
      expect(await wire.nextClose()).to.equal(1009)
    })

    it('answers binary content in fragments by an error and 1003', async () => {
      const wire = await Wire.open(url)

      wire.send(BINARY, '{', { fin: false })
      wire.send(CONTINUATION, '}')

      expect(await wire.nextText()).to.include('INVALID_REQUEST')
      expect(await wire.nextClose()).to.equal(1003)
    })

    it('answers each ping by a pong with the same content, in order', async () => {
      const wire = await Wire.open(url)
      const contents = ['', 'ping', '\u0000\u00ff', 'x'.repeat(125)]

      for (const content of contents) wire.send(PING, content)

      for (const content of contents) {
        const frame = await wire.next()
        expect(frame).to.deep.equal({ fin: true, opcode: PONG, payload: Buffer.from(content) })
      }
    })

    it('echoes close codes and then ends the connection', async () => {
      for (const code of [1000, 1001, 1002, 1003, 1007, 1011, 3000, 4000, 4999]) {
        const wire = await Wire.open(url)
        wire.send(CLOSE, encodeClose(code, 'bye'))
        expect(await wire.nextClose()).to.equal(code)
        await wire.end()
      }
      const wire = await Wire.open(url)
      wire.send(CLOSE)
      expect(await wire.nextClose()).to.equal(1005)
      await wire.end()
    })

    it('sends nothing after its close frame, whatever follows the close of the client', async () => {
      const wire = await Wire.open(url)

      wire.write(Buffer.concat([encodeFrame(CLOSE, encodeClose(1000)), encodeFrame(TEXT, join()), encodeFrame(PING)]))

      expect(await wire.nextClose()).to.equal(1000)
      expect(await wire.end()).to.deep.equal([])
    })

    for (const [name, [code, ...frames]] of Object.entries(VIOLATIONS)) {
      it(`closes with ${code} on ${name}`, async () => {
        const wire = await Wire.open(url)

        wire.write(Buffer.concat(frames))

        expect(await wire.nextClose()).to.equal(code)
      })
    }

    for (const [name, [statuses, headers, method]] of Object.entries(BAD_UPGRADES)) {
      it(`refuses an upgrade with ${name}`, async () => {
        // More often than a user may have connections: a refused one does not count.
        for (let attempt = 0; attempt <= CONNECTIONS_PER_USER; attempt++) {
          const answer = await Wire.refusal(url, headers, method)
          expect(answer.status).to.be.oneOf(statuses)
          if (entry === 'the edge' && REFUSED_BY_HAPROXY.includes(name)) continue
          expect(JSON.parse(answer.body)).to.have.nested.property('error.code', 'INVALID_REQUEST')
          expect(answer.headers['content-type']).to.match(/^application\/json/)
        }

        const wire = await Wire.open(url)
        wire.sendText(join())
        await wire.nextText(isJoined)
      })
    }

    it('names the version that it speaks where it refuses one', async () => {
      const answer = await Wire.refusal(url, { 'Sec-WebSocket-Version': '12' })

      expect(answer.headers['sec-websocket-version'] ?? '').to.include('13')
    })
  })
}
