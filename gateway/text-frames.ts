/** WebSocket text frames of a server (RFC 6455 section 5.2): final, unmasked, uncompressed; several in one buffer. */

const FINAL_TEXT = 0x81
/** Payload lengths from here on stand in 16, then in 64 bits. */
const MEDIUM = 126
const LARGE = 65_536
const LENGTH_16 = 126
const LENGTH_64 = 127
/** No UTF-16 unit takes more than 3 bytes in UTF-8. */
const BYTES_PER_UNIT = 3
const HEADER_MAX = 10

/** The frames of the texts, in order. */
export function encodeTextFrames(texts: readonly string[]): Buffer {
  let room = 0
  for (const text of texts) room += HEADER_MAX + text.length * BYTES_PER_UNIT
  // Written first and measured then: counting the bytes before would read each text twice.
  const scratch = room <= SCRATCH.length ? SCRATCH : Buffer.allocUnsafeSlow(room)
  let end = 0
  for (const text of texts) end = writeFrame(scratch, end, text)
  const frames = Buffer.allocUnsafe(end)
  scratch.copy(frames, 0, 0, end)
  return frames
}

/** Used up before anybody else can run. */
const SCRATCH = Buffer.allocUnsafeSlow(1 << 16)

/** Returns where the frame ends. The header's size is guessed from the text's; a wrong guess moves the payload. */
function writeFrame(buffer: Buffer, at: number, text: string): number {
  const guess = headerSize(text.length)
  const length = buffer.write(text, at + guess, 'utf8')
  const size = headerSize(length)
  if (size !== guess) buffer.copyWithin(at + size, at + guess, at + guess + length)
  buffer[at] = FINAL_TEXT
  if (size === 2) buffer[at + 1] = length
  else if (size === 4) {
    buffer[at + 1] = LENGTH_16
    buffer.writeUInt16BE(length, at + 2)
  } else {
    buffer[at + 1] = LENGTH_64
    buffer.writeBigUInt64BE(BigInt(length), at + 2)
  }
  return at + size + length
}

const headerSize = (length: number) => (length < MEDIUM ? 2 : length < LARGE ? 4 : HEADER_MAX)
