/** One call as an application sees it: from the ringing to its end, the same object on every screen. */
import type { EndRequestReason } from '../core/protocol/http.ts'
import type { CallStatusMessage, CallType, IceServer } from '../core/protocol/signaling.ts'
import { type CallContext, type CallFacts, iceServersOf } from './call-context.ts'
import { CallSession } from './call-session.ts'
import { type CallEndReason, type CallState, changed, furthest, INITIAL_STATE } from './call-state.ts'
import { asCallingError, CallingError } from './errors.ts'
import { Events } from './events.ts'
import { LocalMedia } from './local-media.ts'
import type { PeerConnection, Timer } from './platform.ts'
import type { SocketEnd } from './reconnecting-socket.ts'

export type CallEvents = {
  /** Something of `call.state` has changed. */
  state: [CallState]
  /** The other side's stream is there, or has got a further track: `video.srcObject = stream`. */
  stream: [MediaStream]
  /** Something went wrong; the call goes on unless its state says otherwise. */
  error: [CallingError]
}

export class Call extends Events<CallEvents> {
  /** The service's, as in the history. */
  readonly id: string
  /** The user at the other end. */
  readonly peerId: string
  /** As it was called; a camera may come later. */
  readonly type: CallType
  readonly direction: 'outgoing' | 'incoming'
  /** How long an incoming call may ring here, from the moment when it came in, in milliseconds. */
  readonly ringMs: number | undefined
  readonly #context: CallContext
  readonly #facts: CallFacts
  #state: CallState = INITIAL_STATE
  #version = 0
  #answering = false
  /** This device has asked for the call: an answer in its name is its own. */
  #hasAsked = false
  #media: LocalMedia | undefined
  #session: CallSession | undefined
  #remoteStream: MediaStream | undefined
  #ringTimer: Timer | undefined

  /** @internal */
  constructor(context: CallContext, facts: CallFacts) {
    super()
    this.id = facts.id
    this.peerId = facts.peerId
    this.type = facts.type
    this.direction = facts.direction
    this.ringMs = facts.ringMs
    this.#context = context
    this.#facts = facts
  }

  /** A new object after each change. */
  get state(): CallState {
    return this.#state
  }

  /** Microphone and camera of this side, for the small picture. */
  get localStream(): MediaStream | undefined {
    return this.#media?.stream
  }

  /** Of the other side, once one of its tracks is there. */
  get remoteStream(): MediaStream | undefined {
    return this.#remoteStream
  }

  /** From the answer on, or from the start of an outgoing call. */
  get peerConnection(): PeerConnection | undefined {
    return this.#session?.connection.connection
  }

  /**
   * Takes an incoming call. Rejects with `MEDIA_UNAVAILABLE`, and goes on ringing, where there is no microphone; with
   * `CONFLICT` or `CALL_ALREADY_ENDED`, and is over, where another device or the caller was faster.
   */
  async answer({ video = this.type === 'video' }: { video?: boolean } = {}): Promise<void> {
    if (this.direction !== 'incoming' || this.#state.phase !== 'ringing' || this.#answering)
      throw new CallingError('INVALID_STATE', 'Only an incoming call that rings can be answered')
    this.#answering = true
    const { rest, settings, identity } = this.#context
    try {
      const ice = iceServersOf(this.#context, (error) => this.emit('error', error))
      const media = await LocalMedia.open(settings.getMedia, video && this.type === 'video')
      this.#hasAsked = true
      try {
        await rest.answer(this.id, { user_id: identity.userId, device_id: identity.deviceId })
        this.join(media, await ice)
      } catch (error) {
        media.stop()
        throw error
      }
    } catch (error) {
      this.#answering = false
      const reason = asCallingError(error, 'NETWORK_ERROR')
      if (reason.code === 'CONFLICT') this.#end('answered_elsewhere')
      else if (reason.code === 'CALL_ALREADY_ENDED') await this.check()
      throw reason
    }
  }

  /** Refuses an incoming call that rings. One that another device of this user has answered meanwhile goes on there. */
  decline(): Promise<void> {
    return this.hangUp()
  }

  /** Ends the call for both sides, or declines one that only rings here. Rejects where the service cannot be told. */
  async hangUp(reason: EndRequestReason = 'user_hangup'): Promise<void> {
    if (this.#state.phase === 'ended') return
    this.#session?.connection.close()
    this.#media?.stop()
    const onlyRings = this.direction === 'incoming' && this.#state.phase === 'ringing' && !this.#answering
    const body = { user_id: this.#context.identity.userId, reason }
    try {
      const wish = onlyRings ? { ...body, expected_status: 'connecting' as const } : body
      this.#end((await this.#context.rest.end(this.id, wish)).end_reason)
    } catch (error) {
      const failure = asCallingError(error, 'NETWORK_ERROR')
      if (failure.code === 'CONFLICT' && onlyRings) return this.#end('answered_elsewhere')
      if (failure.code === 'CALL_ALREADY_ENDED') await this.check()
      this.#end('unknown')
      if (failure.code !== 'CALL_ALREADY_ENDED') throw failure
    }
  }

  /** Silences the microphone, or lets it be heard again. */
  setMuted(muted: boolean): void {
    this.#media?.setMuted(muted)
    this.#showMedia()
  }

  /**
   * Shows the camera, or black. A call without a camera gets one, and the two sides agree on it while they go on speaking;
   * rejects with `MEDIA_UNAVAILABLE` where there is none, and with `INVALID_STATE` where this device takes no part.
   */
  async setCamera(on: boolean): Promise<void> {
    const [media, session] = [this.#media, this.#session]
    if (media === undefined || session === undefined || this.#state.phase === 'ended') {
      if (on) throw new CallingError('INVALID_STATE', 'Only who takes part in a call has a camera in it')
      return
    }
    await media.setCamera(on, (track, stream) => session.connection.addTrack(track, stream))
    this.#showMedia()
  }

  /** @internal It rings here, or there. */
  ring(): void {
    this.#change({ phase: 'ringing' })
    // The service ends the call at the same moment; this device is silent even where it cannot hear so. An answer of it
    // that is under way may have been in time: the service decides.
    if (this.ringMs !== undefined)
      this.#ringTimer = setTimeout(() => this.#answering || this.#end('no_answer'), this.ringMs)
  }

  /** @internal Takes part from now on: an outgoing call from its start, an incoming one from its answer. */
  join(media: LocalMedia, iceServers: IceServer[]): void {
    if (this.#state.phase === 'ended') return media.stop()
    clearTimeout(this.#ringTimer)
    this.#media = media
    if (this.direction === 'incoming') this.#change({ phase: 'connecting' })
    const options = { ...this.#facts, video: this.type === 'video', media, iceServers }
    this.#session = new CallSession(this.#context, options, {
      status: (message) => this.heard(message),
      connected: () => this.#change({ phase: 'active' }),
      reconnecting: (reconnecting) => this.#change({ reconnecting }),
      peerPresent: (peerPresent) => this.#change({ peerPresent }),
      remoteStream: (stream) => this.#gotStream(stream),
      failed: (error) => this.emit('error', error),
      gaveUp: () => void this.hangUp('connection_failed').catch((error) => this.emit('error', error)),
      ended: (end) => void this.#signalingEnded(end),
    })
    this.#showMedia()
    this.#session.start()
  }

  /** @internal What the service says of the call, by whatever connection. */
  heard(
    message: Pick<CallStatusMessage, 'status' | 'version' | 'ring_state' | 'end_reason' | 'answered_by_device'>,
  ): void {
    if (message.version <= this.#version || this.#state.phase === 'ended') return
    this.#version = message.version
    if (message.status === 'ended' || message.status === 'failed') return this.#end(message.end_reason ?? 'unknown')
    const isOutgoing = this.direction === 'outgoing'
    if (message.status === 'connecting') return isOutgoing ? this.#change({ ringState: message.ring_state }) : undefined
    if (isOutgoing) return this.#change({ phase: furthest(this.#state.phase, 'connecting'), ringState: undefined })
    const isOurs = message.answered_by_device === this.#context.identity.deviceId
    const takesIt = this.#hasAsked || this.#session !== undefined || this.#context.isMergingWith(this.peerId)
    if (!isOurs || !takesIt) this.#end('answered_elsewhere')
  }

  /** @internal Asks the service how the call stands. */
  async check(): Promise<void> {
    try {
      const { status, version, ring_state, end_reason } = await this.#context.rest.status(this.id)
      if (status === 'ended' || status === 'failed') this.#end(end_reason ?? 'unknown')
      else if (status === 'active' && this.direction === 'incoming' && !this.#answering && this.#session === undefined)
        this.#end('answered_elsewhere')
      else this.heard({ status, version, ring_state, answered_by_device: this.#context.identity.deviceId })
    } catch (error) {
      this.emit('error', asCallingError(error, 'NETWORK_ERROR'))
    }
  }

  /** @internal */
  networkChanged(): void {
    this.#session?.networkChanged()
  }

  /** @internal Over for this device, whatever the call does. */
  drop(): void {
    this.#end('unknown')
  }

  async #signalingEnded({ code, error }: SocketEnd): Promise<void> {
    if (error !== undefined && error.code !== 'CALL_ALREADY_ENDED') this.emit('error', error)
    // Normally the last status came before the close; where it did not, the service knows.
    if (code !== 4409) await this.check()
    this.#end(code === 4409 ? 'replaced' : 'unknown')
  }

  #gotStream(stream: MediaStream): void {
    this.#remoteStream = stream
    this.emit('stream', stream)
  }

  #showMedia(): void {
    if (this.#media?.stream === undefined) return
    this.#change({ muted: this.#media.isMuted, cameraOn: this.#media.isCameraOn })
  }

  #end(endReason: CallEndReason): void {
    if (this.#state.phase === 'ended') return
    clearTimeout(this.#ringTimer)
    this.#session?.close()
    this.#media?.stop()
    this.#context.forget(this.id)
    this.#change({ phase: 'ended', endReason, ringState: undefined, reconnecting: false, peerPresent: false })
  }

  #change(changes: Partial<CallState>): void {
    if (this.#state.phase === 'ended') return
    const state = changed(this.#state, changes)
    if (state === undefined) return
    this.#state = state
    this.emit('state', state)
  }
}
