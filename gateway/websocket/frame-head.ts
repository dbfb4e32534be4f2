/** The head of a WebSocket frame from a client (RFC 6455 section 5.2). */

const FINAL = 0x80
const RESERVED = 0x70
const OPCODE = 0x0f
const MASKED = 0x80
const LENGTH = 0x7f
const LENGTH_16 = 126
const LENGTH_64 = 127
const MASK_BYTES = 4

const CONTINUATION = 0
const TEXT = 1
const BINARY = 2
const CLOSE = 8
const PING = 9
const PONG = 10
const KNOWN = new Set([CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG])
/** RFC 6455 section 5.5. */
const CONTROL_MAX_BYTES = 125

export interface FrameHead {
  isKnown: boolean
  isFinal: boolean
  isControl: boolean
  isContinuation: boolean
  isClose: boolean
  hasReservedBits: boolean
  isMasked: boolean
  headBytes: number
  payloadBytes: number
}

/** How many bytes the head has, as far as can be told: 2 until the second byte is there. */
export function headBytes(bytes: Buffer): number {
  const second = bytes[1]
  if (second === undefined) return 2
  const length = second & LENGTH
  return 2 + (length === LENGTH_16 ? 2 : length === LENGTH_64 ? 8 : 0) + ((second & MASKED) === 0 ? 0 : MASK_BYTES)
}

/** The head that begins at a place; undefined where it is not complete. */
export function readHead(bytes: Buffer, at: number): FrameHead | undefined {
  const first = bytes[at]
  const second = bytes[at + 1]
  if (first === undefined || second === undefined) return undefined
  const length = second & LENGTH
  const isMasked = (second & MASKED) !== 0
  const size = 2 + (length === LENGTH_16 ? 2 : length === LENGTH_64 ? 8 : 0) + (isMasked ? MASK_BYTES : 0)
  if (bytes.length - at < size) return undefined
  const opcode = first & OPCODE
  return {
    isKnown: KNOWN.has(opcode),
    isFinal: (first & FINAL) !== 0,
    isControl: opcode >= CLOSE,
    isContinuation: opcode === CONTINUATION,
    isClose: opcode === CLOSE,
    hasReservedBits: (first & RESERVED) !== 0,
    isMasked,
    headBytes: size,
    payloadBytes: readLength(bytes, at, length),
  }
}

function readLength(bytes: Buffer, at: number, length: number): number {
  if (length === LENGTH_16) return bytes.readUInt16BE(at + 2)
  return length === LENGTH_64 ? bytes.readUInt32BE(at + 2) * 2 ** 32 + bytes.readUInt32BE(at + 6) : length
}

/** Whether a server must fail the connection at the head alone, whatever came before. */
export function isMalformed(head: FrameHead): boolean {
  if (head.hasReservedBits || !head.isMasked || !head.isKnown) return true
  return head.isControl && (!head.isFinal || head.payloadBytes > CONTROL_MAX_BYTES)
}
