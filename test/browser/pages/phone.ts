/** In the page: one user with the client library, and what a test wants to know of it. */
import type { Call, CallingClientOptions, CallState, ClientState } from '../../../client/public-api.ts'

declare const sdk: typeof import('../../../client/public-api.ts')

export interface PhoneSettings
  extends Pick<CallingClientOptions, 'url' | 'origins' | 'iceServers' | 'rtc' | 'giveUpAfterMs'> {
  token: string
  /** A picture that costs little; what the library asks for by itself otherwise. */
  smallPicture: boolean
  /** Takes each call in the moment in which it rings. */
  answersAtOnce?: boolean
}

export interface PhoneView {
  client: ClientState
  /** The latest call. */
  call: (Pick<Call, 'id' | 'peerId' | 'type' | 'direction'> & { state: CallState }) | undefined
  /** Each phase that the latest call was in, and whether it ever had to reconnect. */
  phases: CallState['phase'][]
  wasReconnecting: boolean
  errors: string[]
}

/** What has come in since the start of the call, and by which way. */
export interface MediaFigures {
  framesDecoded: number
  audioEnergy: number
  audioPackets: number
  /** Tracks of the other side that play. */
  remoteTracks: string[]
  localCandidate: string
  remoteCandidate: string
  /** The ICE user name of this side: another one after each restart. */
  iceUser: string
}

class Phone {
  client: InstanceType<typeof sdk.CallingClient> | undefined
  calls: Call[] = []
  errors: string[] = []
  #phases: CallState['phase'][] = []
  #wasReconnecting = false

  async start({ token, smallPicture, answersAtOnce, ...options }: PhoneSettings): Promise<void> {
    const picture = { width: 160, height: 120, frameRate: 10 }
    const getMedia = ({ video }: { video: boolean }) =>
      navigator.mediaDevices.getUserMedia({ audio: true, video: video && picture })
    this.client = new sdk.CallingClient({ ...options, token: () => token, ...(smallPicture ? { getMedia } : {}) })
    this.client.on('incoming', (call) => {
      this.#follow(call)
      if (answersAtOnce) void call.answer()
    })
    this.client.on('error', ({ code, message }) => this.errors.push(`${code}: ${message}`))
    await this.client.connect()
  }

  async dial(userId: string, video: boolean): Promise<string> {
    const call = await this.client?.call(userId, { video })
    if (call === undefined) throw new Error('The phone was not started')
    this.#follow(call)
    return call.id
  }

  /** Milliseconds from the press of the button until media is connected here, in a video call. */
  async timeSetup(userId: string): Promise<number> {
    const startedAt = performance.now()
    await this.dial(userId, true)
    if (this.call.state.phase !== 'active')
      await new Promise<void>((resolve, reject) =>
        this.call.on('state', ({ phase }) => {
          if (phase === 'active') resolve()
          if (phase === 'ended') reject(new Error('The call has ended'))
        }),
      )
    return performance.now() - startedAt
  }

  get call(): Call {
    const call = this.calls.at(-1)
    if (call === undefined) throw new Error('There is no call')
    return call
  }

  view(): PhoneView {
    const call = this.calls.at(-1)
    return {
      client: this.client?.state ?? 'offline',
      call: call && { id: call.id, peerId: call.peerId, type: call.type, direction: call.direction, state: call.state },
      phases: this.#phases,
      wasReconnecting: this.#wasReconnecting,
      errors: this.errors,
    }
  }

  async media(): Promise<MediaFigures> {
    const connection = this.call.peerConnection
    const report = await connection?.getStats?.()
    const stats: Record<string, unknown>[] = []
    report?.forEach((stat) => void stats.push(stat))
    const inbound = (kind: string) => stats.filter((stat) => stat.type === 'inbound-rtp' && stat.kind === kind)
    const total = (of: Record<string, unknown>[], name: string) =>
      of.reduce((sum, stat) => sum + (Number(stat[name]) || 0), 0)
    const selected = stats.find(({ type }) => type === 'transport')?.selectedCandidatePairId
    const pair = stats.find(({ id }) => id === selected)
    const typeOf = (id: unknown) => String(stats.find((stat) => stat.id === id)?.candidateType ?? 'none')
    return {
      framesDecoded: total(inbound('video'), 'framesDecoded'),
      audioEnergy: total(inbound('audio'), 'totalAudioEnergy'),
      audioPackets: total(inbound('audio'), 'packetsReceived'),
      remoteTracks: (this.call.remoteStream?.getTracks() ?? []).map(({ kind }) => kind).sort(),
      localCandidate: typeOf(pair?.localCandidateId),
      remoteCandidate: typeOf(pair?.remoteCandidateId),
      iceUser: /a=ice-ufrag:(\S+)/.exec(connection?.localDescription?.sdp ?? '')?.[1] ?? '',
    }
  }

  /** Of the other side's picture as it is shown, from 0 for black to 255. */
  brightness(): number {
    const screen = document.querySelector<HTMLVideoElement>('#remote')
    const [width, height] = [16, 12]
    const paper = new OffscreenCanvas(width, height).getContext('2d')
    if (screen === null || paper === null || screen.videoWidth === 0) return 0
    paper.drawImage(screen, 0, 0, width, height)
    const { data } = paper.getImageData(0, 0, width, height)
    const colours = data.filter((_, index) => index % 4 !== 3)
    return colours.reduce((sum, value) => sum + value, 0) / colours.length
  }

  /** When the TURN credentials of the call end, in seconds since 1970: it is the first part of their user name. */
  turnExpiry(): number {
    const { iceServers = [] } = (this.call.peerConnection as RTCPeerConnection).getConfiguration()
    return Math.max(0, ...iceServers.map(({ username = '' }) => Number.parseInt(username, 10) || 0))
  }

  #follow(call: Call): void {
    // A call that merges with one that rings is the same one.
    if (this.calls.includes(call)) return
    this.calls.push(call)
    this.#phases = [call.state.phase]
    this.#wasReconnecting = false
    call.on('state', ({ phase, reconnecting }) => {
      if (this.#phases.at(-1) !== phase) this.#phases.push(phase)
      this.#wasReconnecting ||= reconnecting
    })
    call.on('error', ({ code, message }) => this.errors.push(`${code}: ${message}`))
    const show = () => {
      const screen = document.querySelector<HTMLVideoElement>('#remote')
      if (screen !== null && call.remoteStream !== undefined) screen.srcObject = call.remoteStream
    }
    call.on('stream', show)
    show()
  }
}

declare global {
  var phone: Phone
}
globalThis.phone = new Phone()
