/**
 * The newest texts, bounded in bytes and age, kept outside the garbage collector's sight: as objects, tens of thousands
 * of messages that live for two minutes would be copied and traced again and again; garbage collection was some 8 % of
 * a loaded gateway's profile.
 */

const CHUNK_BYTES = 256 * 1024
/** A record is its length in bytes, its time in ms, then UTF-8. */
const HEADER_BYTES = 12
/** No UTF-16 unit takes more than 3 bytes in UTF-8. */
const BYTES_PER_UNIT = 3

interface Chunk {
  bytes: Buffer
  end: number
  newestAt: number
}

export class RecordRing {
  readonly #keepMs: number
  readonly #keepBytes: number
  /** Oldest first; the last one is written to. */
  #chunks: Chunk[] = []
  #bytes = 0

  constructor(limits: { keepMs: number; keepBytes: number }) {
    this.#keepMs = limits.keepMs
    this.#keepBytes = limits.keepBytes
  }

  /** Adds a text; `at` is in ms of the process' clock. The oldest make room. */
  add(text: string, at: number): void {
    const room = HEADER_BYTES + text.length * BYTES_PER_UNIT
    let chunk = this.#chunks.at(-1)
    if (chunk === undefined || chunk.bytes.length - chunk.end < room) {
      this.#forget(at)
      chunk = { bytes: Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, room)), end: 0, newestAt: at }
      this.#chunks.push(chunk)
      this.#bytes += chunk.bytes.length
    }
    const { bytes, end } = chunk
    const length = bytes.write(text, end + HEADER_BYTES, 'utf8')
    bytes.writeUInt32LE(length, end)
    bytes.writeDoubleLE(at, end + 4)
    chunk.end = end + HEADER_BYTES + length
    chunk.newestAt = at
  }

  /** Drops whole chunks: those that are too old, and the oldest while there are too many to start another. */
  #forget(now: number): void {
    for (let oldest = this.#chunks[0]; oldest !== undefined; oldest = this.#chunks[0]) {
      const isFull = this.#bytes + CHUNK_BYTES > this.#keepBytes
      if (!isFull && now - oldest.newestAt <= this.#keepMs) return
      this.#bytes -= oldest.bytes.length
      this.#chunks.shift()
    }
  }

  /** Empties the ring: what is not too old, oldest first. */
  take(now: number): { text: string; at: number }[] {
    const records: { text: string; at: number }[] = []
    for (const { bytes, end } of this.#chunks)
      for (let start = 0; start < end; ) {
        const length = bytes.readUInt32LE(start)
        const at = bytes.readDoubleLE(start + 4)
        const next = start + HEADER_BYTES + length
        if (now - at <= this.#keepMs) records.push({ text: bytes.toString('utf8', start + HEADER_BYTES, next), at })
        start = next
      }
    this.#chunks = []
    this.#bytes = 0
    return records
  }
}
