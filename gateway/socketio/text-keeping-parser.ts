/**
 * Socket.IO's parser, but for the events of signaling it keeps the payload's JSON as the client wrote it. The relay
 * forwards text, and writing it again from the parsed value would cost as much as parsing it did.
 */
import { Decoder, Encoder, PacketType, protocol } from 'socket.io-parser'

/** The client's own events (core/protocol/signaling.ts); any other takes the library's way alone. */
const EVENTS = new Set([
  'offer',
  'answer',
  'candidate',
  'connection-state',
  'join-room',
  'leave-room',
  'ice-servers',
  'ringing',
])
/** More digits are no acknowledgement id that we count on. */
const ID_DIGITS_MAX = 15
const BINARY = [PacketType.BINARY_EVENT, PacketType.BINARY_ACK].map(String)

const NO_BYTES = Buffer.alloc(0)

const texts = new WeakMap<object, string>()

/** The JSON that a payload was parsed from, whole; undefined where the library's way was taken. */
export function textOf(payload: unknown): string | undefined {
  return typeof payload === 'object' && payload !== null ? texts.get(payload) : undefined
}

interface PlainEvent {
  name: string
  id: number | undefined
  /** Everything between the event's name and the last bracket: one JSON value, or several. */
  text: string
}

/** Reads `2<id>["<event>",<payload>]` (Socket.IO protocol v5); undefined for anything else. */
function readPlainEvent(packet: string): PlainEvent | undefined {
  const bracket = packet.indexOf('["')
  const comma = packet.indexOf('",', bracket)
  if (!packet.startsWith('2') || bracket < 1 || bracket > 1 + ID_DIGITS_MAX || comma < 0 || !packet.endsWith(']'))
    return undefined
  const name = packet.slice(bracket + 2, comma)
  const digits = packet.slice(1, bracket)
  if (!EVENTS.has(name) || !/^\d*$/.test(digits)) return undefined
  return { name, id: digits === '' ? undefined : Number(digits), text: packet.slice(comma + 2, -1) }
}

class TextKeepingDecoder extends Decoder {
  /** Attachments that are announced and have not come. */
  #announced = 0

  override add(packet: unknown): void {
    if (typeof packet !== 'string' && this.#announced > 0) {
      this.#announced -= 1
      return
    }
    const event = typeof packet === 'string' && this.#announced === 0 ? readPlainEvent(packet) : undefined
    const payload = event === undefined ? undefined : parseObject(event.text)
    if (event === undefined || payload === undefined) return this.#addOther(packet)
    texts.set(payload, event.text)
    const data = [event.name, payload]
    this.emitReserved('decoded', {
      type: PacketType.EVENT,
      nsp: '/',
      data,
      ...(event.id === undefined ? {} : { id: event.id }),
    })
  }

  /**
   * Bytes are refused whatever they hold, so they are not waited for: the announcement would keep what it announces in
   * memory, and so would each attachment. Empty ones take their place.
   */
  #addOther(packet: unknown): void {
    if (this.#announced > 0) throw new Error('An attachment must come')
    super.add(packet)
    if (typeof packet !== 'string' || !BINARY.includes(packet.charAt(0))) return
    this.#announced = Number.parseInt(packet.slice(1), 10)
    for (let given = 0; given < this.#announced; given++) super.add(NO_BYTES)
  }
}

/** Undefined for what is not one JSON object: several arguments, for instance. */
function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

/** For Socket.IO's option `parser`. */
export const textKeepingParser = { protocol, PacketType, Encoder, Decoder: TextKeepingDecoder }
