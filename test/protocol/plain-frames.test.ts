/** The short cut takes what it should and leaves the rest to the library, in order, wherever a read is cut. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { WebSocketServer } from 'ws'
import { takePlainFrames } from '../../gateway/raw/plain-frames.ts'
import { destroyAllWires, encodeClose, encodeFrame, OPCODE, Wire } from './wire.ts'

const { TEXT, CONTINUATION, BINARY, PING, PONG, CLOSE } = OPCODE
const LARGE = 'x'.repeat(70_000)

describe('plain frames', () => {
  let http: Server
  let url: string
  let isPossible: boolean
  /** What was read, and by whom. */
  let read: string[]
  let onRead: () => void

  beforeEach(async () => {
    read = []
    const note = (by: string, text: string) => {
      read.push(`${by} ${text}`)
      onRead()
    }
    const wss = new WebSocketServer({ noServer: true, perMessageDeflate: false })
    http = createServer().on('upgrade', (request, socket, head) =>
      wss.handleUpgrade(request, socket, head, (ws) => {
        isPossible = takePlainFrames(ws, (text) => note('cut', text))
        ws.on('message', (data, isBinary) => note(isBinary ? 'binary' : 'ws', String(data)))
        ws.on('error', () => {})
      }),
    )
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/`
  })
  afterEach(() => {
    destroyAllWires()
    http.closeAllConnections()
    http.close()
  })

  /** Resolves when so many messages were read. */
  const reads = (count: number) =>
    new Promise<string[]>((resolve) => {
      onRead = () => read.length === count && resolve(read)
    })

  it('can still be stepped in front of', async () => {
    await Wire.open(url)
    expect(isPossible).to.equal(true)
  })

  it('are taken by themselves, several at once, and with characters of any length', async () => {
    const wire = await Wire.open(url)
    const all = reads(6)
    const texts = ['one', '', 'zwei ü', '€'.repeat(1000), '😀', 'x'.repeat(60_000)]
    wire.write(Buffer.concat(texts.slice(0, 5).map((text) => encodeFrame(TEXT, text))))
    wire.write(encodeFrame(TEXT, texts[5]))
    // The last one may come in several reads.
    expect((await all).map((line) => line.replace(/^(cut|ws) /, ''))).to.deep.equal(texts)
    expect(read.slice(0, 5).every((line) => line.startsWith('cut '))).to.equal(true)
  })

  it('are taken again after pings and pongs', async () => {
    const wire = await Wire.open(url)
    const all = reads(3)
    wire.write(Buffer.concat([encodeFrame(TEXT, 'a'), encodeFrame(PING, 'p'), encodeFrame(PONG, 'q')]))
    expect((await wire.next())?.opcode).to.equal(PONG)
    wire.write(Buffer.concat([encodeFrame(TEXT, 'b'), encodeFrame(TEXT, 'c')]))
    expect(await all).to.deep.equal(['cut a', 'cut b', 'cut c'])
  })

  const OTHERS: Record<string, [frames: Buffer[], reads: string[]]> = {
    fragments: [
      [encodeFrame(TEXT, 'b', { fin: false }), encodeFrame(PING), encodeFrame(CONTINUATION, 'c')],
      ['ws bc', 'ws end'],
    ],
    'a binary frame': [[encodeFrame(BINARY, 'b')], ['binary b', 'ws end']],
    'a large frame': [[encodeFrame(TEXT, LARGE)], [`ws ${LARGE}`, 'ws end']],
    'a replacement character': [[encodeFrame(TEXT, 'b\ufffd')], ['ws b\ufffd', 'ws end']],
  }
  for (const [name, [frames, expected]] of Object.entries(OTHERS))
    it(`leave ${name} to the library, and all that follows`, async () => {
      const wire = await Wire.open(url)
      const all = reads(1 + expected.length)
      wire.write(Buffer.concat([encodeFrame(TEXT, 'a'), ...frames, encodeFrame(TEXT, 'end')]))
      expect(await all).to.deep.equal(['cut a', ...expected])
    })

  it('cut anywhere give the same messages', async () => {
    const bytes = Buffer.concat([
      encodeFrame(TEXT, 'first'),
      encodeFrame(PONG, 'x'),
      encodeFrame(TEXT, 'ü'.repeat(100)),
      encodeFrame(TEXT, 'last'),
    ])
    for (let cut = 1; cut < bytes.length; cut += 7) {
      read = []
      const wire = await Wire.open(url)
      const all = reads(3)
      wire.write(bytes.subarray(0, cut))
      // Sockets do not say when the other end has read; a round through the kernel makes two reads of it, as a rule.
      ;(await Wire.open(url)).destroy()
      wire.write(bytes.subarray(cut))
      const texts = (await all).map((line) => line.replace(/^(cut|ws) /, ''))
      expect(texts, `cut at ${cut}`).to.deep.equal(['first', 'ü'.repeat(100), 'last'])
      wire.destroy()
    }
  })

  for (const [name, code, frame] of [
    ['no UTF-8', 1007, encodeFrame(TEXT, Buffer.from([0x22, 0xc3, 0x28]))],
    ['no mask', 1002, encodeFrame(TEXT, 'x', { masked: false })],
    ['a reserved bit', 1002, encodeFrame(TEXT, 'x', { reserved: 4 })],
  ] as const)
    it(`with ${name} are closed with ${code} by the library`, async () => {
      const wire = await Wire.open(url)
      onRead = () => {}
      wire.write(Buffer.concat([encodeFrame(TEXT, 'a'), frame, encodeFrame(TEXT, 'b')]))
      expect(await wire.nextClose()).to.equal(code)
      expect(read).to.deep.equal(['cut a'])
    })

  it('after a close are not read', async () => {
    const wire = await Wire.open(url)
    onRead = () => {}
    wire.write(Buffer.concat([encodeFrame(TEXT, 'a'), encodeFrame(CLOSE, encodeClose(1000)), encodeFrame(TEXT, 'b')]))
    expect(await wire.nextClose()).to.equal(1000)
    expect(read).to.deep.equal(['cut a'])
  })
})
