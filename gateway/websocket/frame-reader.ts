/**
 * Reads the frames of one WebSocket before `ws` does, so that a connection costs bounded memory whatever frames it sends.
 * `ws` keeps a slice of each read for a fragment, and each slice pins up to 64 KiB: 2.5 KB of message held 167 MB.
 * This reader counts each frame, copies what is unfinished, and hands `ws` whole frames alone; `ws` judges their content.
 */
import { type FrameHead, headBytes, isMalformed, readHead } from './frame-head.ts'

/** Frames of one message: 64 KiB in pieces of 512 bytes, the smallest buffer that common clients fragment by. */
const FRAGMENTS_MAX = 128
/**
 * Bytes that are skipped after a refusal while the client's close frame is awaited. Then reading stops, and a
 * timeout ends the connection: a reset at once would take the close frame from a client that is still sending.
 */
const SKIPPED_MAX_BYTES = 1024 * 1024
/** As long as a close may take. */
const STOPPED_MS = 3000
/** The first buffer for an unfinished frame; it grows with what really comes, not with what was announced. */
const FIRST_BUFFER_BYTES = 512

export type FrameFault = 'flood' | 'too-large' | 'slow'

/** What a connection may send, and who hears that it sent more. */
export interface FrameRules {
  /** Most bytes of a message, all its fragments together. */
  readonly messageMaxBytes: number
  /** Longest time from the first byte of a message to its last. */
  readonly finishMs: number
  /** Counts one frame with its size; false where it is one too many. */
  admit(bytes: number): boolean
  /** Ends the connection: called once. */
  refuse(fault: FrameFault): void
}

/** Where frames go, and what ends a connection whose client does not end it. */
export interface FrameTarget {
  isOpen(): boolean
  /** Takes whole frames; returns false where it wants no more for now, as a stream's `write` does. */
  take(frames: Buffer): boolean
  terminate(): void
}

/** A frame that has begun to come. */
interface Partial {
  bytes: Buffer
  filled: number
  /** Of the whole frame; undefined until its head is complete and admitted. */
  size: number | undefined
}

export class FrameReader {
  rules: FrameRules
  readonly #target: FrameTarget
  #partial: Partial | undefined
  /** Bytes of the current frame that nobody wants. */
  #skip = 0
  #skipped = 0
  /** A message has begun and its last fragment has not come. */
  #isFragmented = false
  #messageBytes = 0
  #fragments = 0
  #isRefused = false
  /** `ws` has found a fault; it reads nothing more. */
  #isGivenUp = false
  /** Nothing more is taken from the socket. */
  #isStopped = false
  /** For how many looks the same message has been unfinished. */
  #looks = 0

  constructor(rules: FrameRules, target: FrameTarget) {
    this.rules = rules
    this.#target = target
  }

  /** A message or a frame has begun and is not complete. */
  get isUnfinished(): boolean {
    return this.#isFragmented || this.#partial !== undefined
  }

  /** Reads what a socket has received; returns false where the target wants a pause. */
  read(chunk: Buffer): boolean {
    let wantsMore = true
    let at = 0
    while (at < chunk.length && !this.#isGivenUp) {
      if (this.#skip > 0) at += this.#skipSome(chunk.length - at)
      else if (this.#partial !== undefined) {
        at += this.#fill(this.#partial, chunk, at)
        const frame = this.#takeComplete()
        if (frame !== undefined) wantsMore = this.#finish(frame) && wantsMore
      } else {
        const head = readHead(chunk, at)
        if (head !== undefined && !this.#begins(head, chunk, at)) continue
        const size = head === undefined ? undefined : head.headBytes + head.payloadBytes
        if (size === undefined || at + size > chunk.length) {
          this.#partial = startPartial(chunk.subarray(at), size)
          return wantsMore
        }
        const isKept = head?.isFinal === false
        wantsMore = this.#finish(isKept ? copy(chunk, at, at + size) : cut(chunk, at, at + size)) && wantsMore
        at += size
      }
    }
    return wantsMore && !this.#isStopped
  }

  /**
   * Called every `everyMs`. Looks are counted, not time: after a pause of this process the rest of a message may have
   * been waiting to be read.
   */
  look(everyMs: number): void {
    if (this.#isStopped) {
      this.#looks += 1
      if (this.#looks * everyMs > STOPPED_MS) this.#target.terminate()
      return
    }
    this.#looks = this.isUnfinished && this.#target.isOpen() ? this.#looks + 1 : 0
    if (this.#looks * everyMs > this.rules.finishMs) this.#refuse('slow')
  }

  /** Whether the frame is wanted; else its bytes are skipped or, where it breaks the protocol, `ws` judges it. */
  #begins(head: FrameHead, bytes: Buffer, at: number): boolean {
    if (this.#isRefused || !this.#target.isOpen()) return (head.isClose && !isMalformed(head)) || this.#skipFrame(head)
    if (isMalformed(head) || !this.#isInOrder(head)) return this.#giveUp(bytes.subarray(at))
    const messageBytes = head.isControl ? 0 : this.#messageBytes + head.payloadBytes
    if (messageBytes > this.rules.messageMaxBytes) return this.#refuseFrame('too-large', head)
    if (!this.rules.admit(head.headBytes + head.payloadBytes)) return this.#refuseFrame('flood', head)
    if (head.isControl) return true
    this.#messageBytes = messageBytes
    this.#fragments += 1
    if (this.#fragments > FRAGMENTS_MAX) return this.#refuseFrame('flood', head)
    this.#isFragmented = !head.isFinal
    if (head.isFinal) this.#messageBytes = this.#fragments = 0
    return true
  }

  /** Control frames may come between fragments; a new message may not, nor a continuation of nothing. */
  #isInOrder(head: FrameHead): boolean {
    return head.isControl || head.isContinuation === this.#isFragmented
  }

  #refuseFrame(fault: FrameFault, head: FrameHead): false {
    this.#refuse(fault)
    return this.#skipFrame(head)
  }

  #refuse(fault: FrameFault): void {
    if (this.#isRefused) return
    this.#isRefused = true
    this.#isFragmented = false
    if (this.#partial?.size !== undefined) {
      this.#skip = this.#partial.size - this.#partial.filled
      this.#partial = undefined
    }
    this.rules.refuse(fault)
  }

  #skipFrame({ headBytes, payloadBytes }: FrameHead): false {
    this.#skip = headBytes + payloadBytes
    return false
  }

  #skipSome(available: number): number {
    const count = Math.min(available, this.#skip)
    this.#skip -= count
    this.#skipped += count
    if (this.#skipped > SKIPPED_MAX_BYTES) this.#stop()
    return count
  }

  #stop(): void {
    this.#isGivenUp = true
    this.#isStopped = true
    this.#looks = 0
  }

  /** `ws` finds the same fault and closes with the code that RFC 6455 has for it. */
  #giveUp(bytes: Buffer): false {
    this.#isGivenUp = true
    this.#partial = undefined
    this.#target.take(bytes)
    // It says so in the next tick. Where it finds none after all, nobody reads this connection any more.
    setImmediate(() => {
      if (this.#target.isOpen()) this.#target.terminate()
    })
    return false
  }

  #finish(frame: Buffer): boolean {
    if (!this.isUnfinished) this.#looks = 0
    return this.#target.take(frame)
  }

  /** Adds bytes to an unfinished frame: its head first, and the payload once the head has been admitted. */
  #fill(partial: Partial, chunk: Buffer, at: number): number {
    const wanted = partial.size ?? headBytes(partial.bytes.subarray(0, partial.filled))
    const count = Math.min(wanted - partial.filled, chunk.length - at)
    makeRoom(partial, partial.filled + count)
    chunk.copy(partial.bytes, partial.filled, at, at + count)
    partial.filled += count
    if (partial.size !== undefined) return count
    const start = partial.bytes.subarray(0, partial.filled)
    const head = readHead(start, 0)
    if (head === undefined) return count
    if (this.#begins(head, start, 0)) partial.size = head.headBytes + head.payloadBytes
    else {
      this.#partial = undefined
      this.#skip = head.payloadBytes
    }
    return count
  }

  #takeComplete(): Buffer | undefined {
    const partial = this.#partial
    if (partial === undefined || partial.filled !== partial.size) return undefined
    this.#partial = undefined
    return partial.bytes.subarray(0, partial.size)
  }
}

function startPartial(bytes: Buffer, size: number | undefined): Partial {
  const partial: Partial = { bytes: Buffer.alloc(0), filled: bytes.length, size }
  makeRoom(partial, bytes.length)
  bytes.copy(partial.bytes)
  return partial
}

/** Doubles the buffer, up to the size of the frame. */
function makeRoom(partial: Partial, bytes: number): void {
  if (bytes <= partial.bytes.length) return
  const grown = Math.max(bytes, FIRST_BUFFER_BYTES, partial.bytes.length * 2)
  const room = Buffer.allocUnsafeSlow(Math.max(bytes, Math.min(grown, partial.size ?? grown)))
  partial.bytes.copy(room)
  partial.bytes = room
}

const cut = (chunk: Buffer, from: number, to: number) =>
  from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to)

/** Not of the pool, whose 8 KiB it would pin. */
function copy(chunk: Buffer, from: number, to: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(to - from)
  chunk.copy(bytes, 0, from, to)
  return bytes
}
