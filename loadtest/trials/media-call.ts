// A call between two users of the client library with media both ways, on WebRTC stacks that send and receive for real.
// Each packet carries its number, so that what is missing at the other side is known to the packet and to the frame.
import { MediaStreamTrack, RtpHeader, RtpPacket, MediaStream as WeriftStream } from 'werift'
import type { Call } from '../../client/call.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { Party, untilPhase } from '../../test/client/party.ts'
import { until } from '../load/waiting.ts'

/** 20 ms of Opus: 50 packets a second, some 100 bytes at 32 kbit/s. */
const AUDIO = { everyMs: 20, packets: 1, bytes: 100, clock: 960 }
/** 30 frames a second of three packets: 860 kbit/s. */
const VIDEO = { everyMs: 33, packets: 3, bytes: 1_200, clock: 3_000 }
const KINDS = { audio: AUDIO, video: VIDEO }
const SET_UP_DEADLINE_MS = 30_000
const LAST_PACKETS_MS = 2_000

/** What one side got of what the other sent. */
export interface Reception {
  packetsSent: number
  packetsReceived: number
  framesSent: number
  /** Video frames of which every packet came. */
  framesComplete: number
  /** The longest time without any packet, ms. */
  longestGapMs: number
}

/** One direction of a call. */
class Stream {
  readonly reception: Reception = {
    packetsSent: 0,
    packetsReceived: 0,
    framesSent: 0,
    framesComplete: 0,
    longestGapMs: 0,
  }
  readonly #timers: NodeJS.Timeout[] = []
  readonly #parts = new Map<number, number>()
  #lastAt: number | undefined

  constructor(from: WeriftStream, to: MediaStream) {
    for (const track of to.getTracks() as unknown as MediaStreamTrack[])
      track.onReceiveRtp.subscribe(({ payload }) => this.#take(track.kind, payload))
    for (const track of from.getTracks()) this.#timers.push(this.#send(track))
  }

  get hasBegun(): boolean {
    return this.#lastAt !== undefined
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer)
  }

  #send(track: MediaStreamTrack): NodeJS.Timeout {
    const { everyMs, packets, bytes, clock } = KINDS[track.kind as keyof typeof KINDS]
    let sequenceNumber = 0
    let frame = 0
    return setInterval(() => {
      frame += 1
      for (let part = 1; part <= packets; part++) {
        sequenceNumber = (sequenceNumber + 1) % 65_536
        const payload = Buffer.alloc(bytes)
        payload.writeUInt32BE(frame, 0)
        const timestamp = (frame * clock) % 2 ** 32
        const header = new RtpHeader({ sequenceNumber, timestamp, payloadType: 96, ssrc: 1, marker: part === packets })
        track.writeRtp(new RtpPacket(header, payload))
      }
      // What is sent before the other side is known to hear is not counted.
      if (!this.hasBegun) return
      this.reception.packetsSent += packets
      if (track.kind === 'video') this.reception.framesSent += 1
    }, everyMs)
  }

  #take(kind: string, payload: Buffer): void {
    const now = performance.now()
    if (this.#lastAt !== undefined)
      this.reception.longestGapMs = Math.max(this.reception.longestGapMs, now - this.#lastAt)
    const isFirst = this.#lastAt === undefined
    this.#lastAt = now
    if (isFirst) return
    this.reception.packetsReceived += 1
    if (kind !== 'video') return
    const frame = payload.readUInt32BE(0)
    const parts = (this.#parts.get(frame) ?? 0) + 1
    if (parts < VIDEO.packets) return void this.#parts.set(frame, parts)
    this.#parts.delete(frame)
    this.reception.framesComplete += 1
  }
}

export class MediaCall {
  /** From the caller's wish until media has come at both sides. */
  readonly setUpMs: number
  readonly outgoing: Call
  readonly incoming: Call
  readonly #streams: Stream[]
  readonly #parties: Party[]

  private constructor(setUpMs: number, calls: [Call, Call], streams: Stream[], parties: Party[]) {
    this.setUpMs = setUpMs
    ;[this.outgoing, this.incoming] = calls
    this.#streams = streams
    this.#parties = parties
  }

  /** The caller's sockets go to one gateway, the callee's to another. @throws where no media flows in time */
  static async start(cluster: Cluster, gateways: [number, number]): Promise<MediaCall> {
    const [hers, his] = [tracks(), tracks()]
    const plain = { onPeerConnection: () => {} }
    const [alice, bob] = await Promise.all([
      Party.online(cluster, { ...plain, gateway: gateways[0], getMedia: async () => hers as unknown as MediaStream }),
      Party.online(cluster, { ...plain, gateway: gateways[1], getMedia: async () => his as unknown as MediaStream }),
    ])
    const startedAt = performance.now()
    const outgoing = await alice.client.call(bob.id, { video: true })
    const incoming = await bob.rung()
    await incoming.answer()
    await Promise.all([
      untilPhase(outgoing, 'active', SET_UP_DEADLINE_MS),
      untilPhase(incoming, 'active', SET_UP_DEADLINE_MS),
    ])
    const heard = () => [outgoing, incoming].every(({ remoteStream }) => remoteStream?.getTracks().length === 2)
    if (!(await until(SET_UP_DEADLINE_MS, heard))) throw new Error('the tracks of the other side did not come')
    const [toHer, toHim] = [outgoing.remoteStream, incoming.remoteStream]
    if (toHer === undefined || toHim === undefined) throw new Error('there is no remote stream')
    const streams = [new Stream(hers, toHim), new Stream(his, toHer)]
    if (!(await until(SET_UP_DEADLINE_MS, () => streams.every(({ hasBegun }) => hasBegun))))
      throw new Error('no media came')
    return new MediaCall(performance.now() - startedAt, [outgoing, incoming], streams, [alice, bob])
  }

  /** Stops sending, hangs up, and tells what each side got. @throws where the hang-up does not reach the other side */
  async end(): Promise<Reception[]> {
    for (const stream of this.#streams) stream.stop()
    const complete = () => this.#streams.every(({ reception }) => reception.packetsReceived >= reception.packetsSent)
    await until(LAST_PACKETS_MS, complete)
    await this.outgoing.hangUp()
    await untilPhase(this.incoming, 'ended', SET_UP_DEADLINE_MS)
    await Promise.all(this.#parties.map((party) => party.close()))
    return this.#streams.map(({ reception }) => reception)
  }
}

function tracks(): WeriftStream {
  return new WeriftStream((['audio', 'video'] as const).map((kind) => new MediaStreamTrack({ kind })))
}
