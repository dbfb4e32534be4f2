/**
 * A short cut for the frames that signaling is made of: whole, final, masked text frames (RFC 6455 section 5.2) that lie
 * in one piece in what a socket has read. They are taken here; all else goes to `ws`, which judges it.
 * The library takes frames through a stream of its own, which was some 9 % of a loaded gateway's profile.
 */
import type { WebSocket } from 'ws'
import { MAX_FRAME_BYTES } from '../../core/protocol/signaling.ts'

const FINAL_TEXT = 0x81
const MASKED = 0x80
const LENGTH_16 = 126
const LENGTH_64 = 127
const MASK_BYTES = 4
/** What stands for bytes that are no UTF-8: `ws` must look at them and close with 1007. */
const REPLACEMENT = '\ufffd'

/** The one thing here that `ws` does not publish; test/protocol/plain-frames.test.ts fails if it changes. */
interface Reads {
  _receiver?: { write(chunk: Buffer): boolean }
}

/** Where a frame's payload lies. */
interface Found {
  start: number
  end: number
}

/**
 * Takes plain text frames of a connection that was just opened. Returns false where this version of `ws` cannot be
 * stepped in front of; everything then reaches its `message` event.
 */
export function takePlainFrames(ws: WebSocket, onText: (text: string) => void): boolean {
  const receiver = (ws as unknown as Reads)._receiver
  if (typeof receiver?.write !== 'function') return false
  const judge = receiver.write.bind(receiver)
  // What `ws` was given may end within a frame, so it gets all the rest.
  let isAtBoundary = true
  receiver.write = (chunk) => {
    if (!isAtBoundary || ws.readyState !== ws.OPEN) return judge(chunk)
    let at = 0
    while (at < chunk.length) {
      const found = findPayload(chunk, at)
      const text = found === undefined ? undefined : readText(chunk, found)
      if (found === undefined || text === undefined) {
        isAtBoundary = endsAtBoundary(chunk, at)
        return judge(at === 0 ? chunk : chunk.subarray(at))
      }
      at = found.end
      onText(text)
      if (ws.readyState !== ws.OPEN) {
        isAtBoundary = false
        return at < chunk.length ? judge(chunk.subarray(at)) : true
      }
    }
    return true
  }
  return true
}

/** The payload of the frame at a place, if it is a plain one, complete, and not too large. */
function findPayload(chunk: Buffer, at: number): Found | undefined {
  const second = chunk[at + 1] ?? 0
  if (chunk[at] !== FINAL_TEXT || (second & MASKED) === 0) return undefined
  let length = second & ~MASKED
  let header = 2
  if (length === LENGTH_16) {
    length = ((chunk[at + 2] ?? 0) << 8) | (chunk[at + 3] ?? 0)
    header = 4
  } else if (length === LENGTH_64) return undefined
  const start = at + header + MASK_BYTES
  const end = start + length
  return end > chunk.length || length > MAX_FRAME_BYTES ? undefined : { start, end }
}

/** Unmasks a payload where it lies; what is no UTF-8 is masked again and left. */
function readText(chunk: Buffer, { start, end }: Found): string | undefined {
  if (unmask(chunk, start, end) < 0x80) return chunk.toString('latin1', start, end)
  const text = chunk.toString('utf8', start, end)
  if (!text.includes(REPLACEMENT)) return text
  unmask(chunk, start, end)
  return undefined
}

/** Returns the bits that any byte has. */
function unmask(chunk: Buffer, start: number, end: number): number {
  let bits = 0
  for (let at = start; at < end; at++) {
    // The mask stands in front of the payload.
    const byte = (chunk[at] as number) ^ (chunk[start - MASK_BYTES + ((at - start) & 3)] as number)
    chunk[at] = byte
    bits |= byte
  }
  return bits
}

/** True where nothing but complete short frames (pongs, as a rule) follows: the next chunk begins with a frame. */
function endsAtBoundary(chunk: Buffer, from: number): boolean {
  let at = from
  while (at < chunk.length) {
    const second = chunk[at + 1] ?? 0xff
    const length = second & ~MASKED
    const isControl = ((chunk[at] ?? 0) & 0x8f) > 0x88
    if (!isControl || length >= LENGTH_16 || (second & MASKED) === 0) return false
    at += 2 + MASK_BYTES + length
  }
  return at === chunk.length
}
