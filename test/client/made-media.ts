/** Media of werift whose packets the tests make. */

import { expect } from 'chai'
import { RtpHeader, RtpPacket, MediaStream as WeriftStream, MediaStreamTrack as WeriftTrack } from 'werift'
import type { Call } from '../../client/call.ts'
import { eventually } from '../support/eventually.ts'

/** A microphone, and a camera where it is wanted. */
export function madeMedia() {
  const opened: WeriftTrack[] = []
  const getMedia = async ({ audio, video }: { audio: boolean; video: boolean }) => {
    const kinds = [...(audio ? ['audio'] : []), ...(video ? ['video'] : [])] as ('audio' | 'video')[]
    const tracks = kinds.map((kind) => new WeriftTrack({ kind }))
    opened.push(...tracks)
    return new WeriftStream(tracks) as unknown as MediaStream
  }
  return { opened, getMedia }
}

const tracksOf = (stream: MediaStream | undefined) => (stream?.getTracks() ?? []) as unknown as WeriftTrack[]
let sequenceNumber = 0

/** One packet on each of a side's tracks. */
export function sendPackets({ localStream }: Call): void {
  sequenceNumber = (sequenceNumber + 1) % 2 ** 16
  for (const track of tracksOf(localStream)) {
    const header = new RtpHeader({ sequenceNumber, timestamp: sequenceNumber * 960, payloadType: 96, ssrc: 1 })
    track.writeRtp(new RtpPacket(header, Buffer.from('media')))
  }
}

/** Waits until packets of each of these kinds have come out at a side; `send` makes the other one send. */
export async function receives(call: Call, kinds: string[], send: () => void = () => {}): Promise<void> {
  const heard = new Set<string>()
  const followed = new Set<WeriftTrack>()
  await eventually(() => {
    // One that is added meanwhile is heard, too.
    for (const track of tracksOf(call.remoteStream).filter((one) => !followed.has(one))) {
      followed.add(track)
      track.onReceiveRtp.subscribe(() => heard.add(track.kind))
    }
    send()
    expect([...heard]).to.have.members(kinds)
  })
}
