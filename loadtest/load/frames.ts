// WebSocket frames by hand (RFC 6455 section 5), as a client needs them: cheap enough that the generator, which shares
// the machine with what it measures, stays small beside it.

/** Any key but zero will do: `ws` skips unmasking for a key of zero, which no browser sends. */
const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d])

const FIN = 0x80
const MASKED = 0x80
const LENGTH_16 = 126
const LENGTH_64 = 127

export const OPCODE = { TEXT: 0x1, CLOSE: 0x8, PING: 0x9, PONG: 0xa } as const

/** A masked frame of one piece, up to 64 KiB. */
export function maskedFrame(opcode: number, payload: Buffer): Buffer {
  const header = payload.length < LENGTH_16 ? 2 : 4
  const frame = Buffer.allocUnsafe(header + 4 + payload.length)
  frame[0] = FIN | opcode
  if (header === 2) frame[1] = MASKED | payload.length
  else {
    frame[1] = MASKED | LENGTH_16
    frame.writeUInt16BE(payload.length, 2)
  }
  MASK.copy(frame, header)
  for (let at = 0; at < payload.length; at++) frame[header + 4 + at] = maskedByte(payload[at] ?? 0, at)
  return frame
}

export function textFrame(text: string): Buffer {
  return maskedFrame(OPCODE.TEXT, Buffer.from(text))
}

/** A normal goodbye (code 1000). */
export const CLOSE_FRAME = maskedFrame(OPCODE.CLOSE, Buffer.from([0x03, 0xe8]))

function maskedByte(byte: number, at: number): number {
  return byte ^ (MASK[at % 4] ?? 0)
}

const ID_DIGITS = 8
/** Stands for the id in a message's text. */
export const ID_PLACEHOLDER = '0'.repeat(ID_DIGITS)
const ID_MEMBER = Buffer.from('"id":"')
const ZERO = 0x30

/** A message's frame, made once; each sending is a copy with another number in it. */
export class FrameTemplate {
  readonly #frame: Buffer
  readonly #idAt: number
  readonly #payloadAt: number

  constructor(text: string) {
    this.#frame = textFrame(text)
    this.#payloadAt = this.#frame.length - Buffer.byteLength(text)
    this.#idAt = Buffer.from(text).indexOf(ID_MEMBER) + ID_MEMBER.length
  }

  /** The frame of message `number`. */
  stamp(number: number): Buffer {
    const frame = Buffer.allocUnsafe(this.#frame.length)
    this.#frame.copy(frame)
    let rest = number
    for (let at = this.#idAt + ID_DIGITS - 1; at >= this.#idAt; at--) {
      frame[this.#payloadAt + at] = maskedByte(ZERO + (rest % 10), at)
      rest = Math.floor(rest / 10)
    }
    return frame
  }
}

/** Where the id's digits start in a message, counted from `start`; the same for all messages of a connection. */
export function findId(bytes: Buffer, start: number, end: number): number {
  const at = bytes.indexOf(ID_MEMBER, start)
  if (at < 0 || at >= end) throw new Error(`a message without an id came back: ${bytes.toString('utf8', start, end)}`)
  return at + ID_MEMBER.length - start
}

export function readId(bytes: Buffer, at: number): number {
  let number = 0
  for (let digit = at; digit < at + ID_DIGITS; digit++) number = number * 10 + (bytes[digit] ?? 0) - ZERO
  return number
}

/** Cuts a stream of a server's frames, which are never masked, into frames. */
export class FrameReader {
  readonly #onFrame: (opcode: number, bytes: Buffer, start: number, end: number) => void
  #rest: Buffer | undefined

  constructor(onFrame: (opcode: number, bytes: Buffer, start: number, end: number) => void) {
    this.#onFrame = onFrame
  }

  push(chunk: Buffer): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    this.#rest = undefined
    let at = 0
    while (bytes.length - at >= 2) {
      let length = (bytes[at + 1] ?? 0) & 0x7f
      let start = at + 2
      if (length >= LENGTH_16) {
        const size = length === LENGTH_64 ? 8 : 2
        if (bytes.length < start + size) break
        length = size === 2 ? bytes.readUInt16BE(start) : Number(bytes.readBigUInt64BE(start))
        start += size
      }
      if (bytes.length < start + length) break
      this.#onFrame((bytes[at] ?? 0) & 0x0f, bytes, start, start + length)
      at = start + length
    }
    // A copy: the chunk's memory is used again.
    if (at < bytes.length) this.#rest = Buffer.from(bytes.subarray(at))
  }
}
