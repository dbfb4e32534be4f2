/** The telephone of this window: one client, at most one call, and what the screen shows of both. */
import {
  type Call,
  type CallEndReason,
  CallingClient,
  CallingError,
  type CallState,
  type ClientState,
} from '../client/public-api.ts'
import { openMedia } from './media.ts'
import type { Ringtone } from './ringtone.ts'
import type { Session } from './session.ts'
import { Store } from './store.ts'

/** A call from the click to its end. `call` is missing while the browser asks for the microphone. */
export interface CallView {
  call: Call | undefined
  peerId: string
  video: boolean
  direction: 'outgoing' | 'incoming'
  state: CallState | undefined
  /** The answer is on its way. */
  answering: boolean
  /** By this machine's clock, in milliseconds; until when it may ring here. */
  ringsUntil: number | undefined
  /** Since when the two have been connected. */
  connectedAt: number | undefined
}

/** What became of the last call, until it is read. */
export interface EndedCall {
  peerId: string
  video: boolean
  direction: 'outgoing' | 'incoming'
  reason: CallEndReason | undefined
  /** 0 where it never was a conversation. */
  seconds: number
}

export interface PhoneState {
  client: ClientState
  call: CallView | undefined
  ended: EndedCall | undefined
}

export interface PhoneListener {
  /** A call could not be made or answered, or something went wrong in it. */
  failed(error: CallingError, view: CallView): void
  /** It rang or was talked, and is over. */
  ended(ended: EndedCall): void
  /** There is no camera: the call goes on by voice. */
  noCamera(): void
  /** The service does not take the token. */
  signedOut(): void
}

export class Phone {
  readonly state = new Store<PhoneState>({ client: 'offline', call: undefined, ended: undefined })
  readonly #client: CallingClient
  readonly #ringtone: Ringtone
  readonly #listener: PhoneListener
  /** Rings without a sound. */
  #silenced: Call | undefined

  constructor(session: Session, token: () => Promise<string>, ringtone: Ringtone, listener: PhoneListener) {
    this.#ringtone = ringtone
    this.#listener = listener
    this.#client = new CallingClient({
      url: location.origin,
      origins: [session.signalingOrigin],
      token,
      getMedia: (wanted) => openMedia(navigator.mediaDevices, wanted, () => listener.noCamera()),
    })
    this.#client.on('state', (client) => this.#set({ client }))
    this.#client.on('incoming', (call) => this.#rang(call))
    this.#client.on('error', (error) => {
      if (error.status === 401 || error.code === 'INVALID_TOKEN') listener.signedOut()
    })
  }

  /** There is a call, or one is being made. */
  get isBusy(): boolean {
    return this.#view() !== undefined
  }

  /** Goes online. What the service refuses is told to the listener. */
  start(): void {
    this.#client.connect().catch((error: CallingError) => {
      if (error.code === 'UNAUTHORIZED' || error.code === 'INVALID_TOKEN') this.#listener.signedOut()
    })
  }

  /** Calls somebody, unless there is a call already. */
  async dial(peerId: string, video: boolean): Promise<void> {
    if (this.#view() !== undefined) return
    const view = emptyView({ peerId, video, direction: 'outgoing' })
    this.#set({ call: view, ended: undefined })
    try {
      const call = await this.#client.call(peerId, { video, onGlare: 'merge' })
      const current = this.#view()
      // It came in while the microphone was asked for, and to call back is to answer.
      if (current?.call === call) return this.#change({ answering: true })
      // Given up meanwhile.
      if (current !== view) return void call.hangUp().catch(() => {})
      this.#follow(call, { ...view, answering: call.direction === 'incoming' })
    } catch (error) {
      if (this.#view() !== view) return
      this.#set({ call: undefined })
      this.#listener.failed(asError(error), view)
    }
  }

  /** Takes the call that rings. `video: false` answers a video call without a picture of one's own. */
  async answer({ video }: { video: boolean }): Promise<void> {
    const view = this.state.value.call
    if (view?.call === undefined || view.answering) return
    this.#change({ answering: true })
    try {
      await view.call.answer({ video })
    } catch (error) {
      this.#change({ answering: false })
      const reason = asError(error)
      // Its end says so by itself.
      if (reason.code !== 'CONFLICT' && reason.code !== 'CALL_ALREADY_ENDED') this.#listener.failed(reason, view)
    }
  }

  /** Ends, cancels or declines the call, whatever it is at. */
  async hangUp(): Promise<void> {
    const view = this.state.value.call
    if (view === undefined) return
    if (view.call === undefined) return this.#set({ call: undefined })
    await view.call.hangUp().catch((error: unknown) => this.#listener.failed(asError(error), view))
  }

  toggleMuted(): void {
    const call = this.state.value.call?.call
    call?.setMuted(!call.state.muted)
  }

  toggleCamera(): void {
    const call = this.state.value.call?.call
    call?.setCamera(!call.state.cameraOn).catch((error: unknown) => {
      const view = this.#view()
      if (view !== undefined) this.#listener.failed(asError(error), view)
    })
  }

  /** No sound any more; the call goes on ringing. */
  silence(): void {
    this.#silenced = this.state.value.call?.call
    this.#ringtone.stop()
  }

  forgetEnded(): void {
    this.#set({ ended: undefined })
  }

  /** Goes offline and hangs up. */
  close(): void {
    this.#ringtone.stop()
    void this.#client.close()
  }

  /** As it is now: it changes behind every await. */
  #view(): CallView | undefined {
    return this.state.value.call
  }

  #rang(call: Call): void {
    const { call: current } = this.state.value
    // One user has one live call, so this is ours: what is on the screen has ended or never began.
    if (current?.call !== undefined && current.call.state.phase !== 'ended') return
    const view = emptyView({ peerId: call.peerId, video: call.type === 'video', direction: 'incoming' })
    const ringsUntil = call.ringMs === undefined ? undefined : Date.now() + call.ringMs
    this.#set({ ended: undefined })
    this.#follow(call, { ...view, ringsUntil })
  }

  #follow(call: Call, view: CallView): void {
    // A merged call is the other's, with its type.
    const video = call.type === 'video'
    this.#set({ call: { ...view, call, video, direction: call.direction, state: call.state } })
    call.on('state', (state) => this.#changed(call, state))
    call.on('stream', () => this.#change({}))
    this.#changed(call, call.state)
  }

  #changed(call: Call, state: CallState): void {
    const view = this.state.value.call
    if (view?.call !== call) return
    if (state.phase === 'ended') return this.#over(view, state)
    const connectedAt = view.connectedAt ?? (state.phase === 'active' ? Date.now() : undefined)
    this.#set({ call: { ...view, state, connectedAt } })
  }

  #over({ peerId, video, direction, connectedAt }: CallView, { endReason: reason }: CallState): void {
    const seconds = connectedAt === undefined ? 0 : (Date.now() - connectedAt) / 1000
    const ended = { peerId, video, direction, reason, seconds }
    // Who rang here in vain, or was sent away, is told of in passing; a call that one took part in leaves a page.
    const tookPart = direction === 'outgoing' || connectedAt !== undefined
    this.#set({ call: undefined, ended: tookPart ? ended : undefined })
    this.#listener.ended(ended)
  }

  #change(change: Partial<CallView>): void {
    const { call } = this.state.value
    if (call !== undefined) this.#set({ call: { ...call, ...change } })
  }

  #set(change: Partial<PhoneState>): void {
    this.state.set({ ...this.state.value, ...change })
    const { call } = this.state.value
    const sound = call === undefined || call.call === this.#silenced ? undefined : soundOf(call)
    if (sound === undefined) this.#ringtone.stop()
    else this.#ringtone.play(sound)
  }
}

function emptyView(facts: Pick<CallView, 'peerId' | 'video' | 'direction'>): CallView {
  const nothing = { call: undefined, state: undefined, ringsUntil: undefined, connectedAt: undefined }
  return { ...facts, ...nothing, answering: false }
}

/** What a call sounds like that nobody has answered yet. */
export function soundOf({ direction, state, answering }: Pick<CallView, 'direction' | 'state' | 'answering'>) {
  if (state?.phase !== 'ringing' || answering) return undefined
  if (direction === 'incoming') return 'incoming'
  // Only what really rings sounds so.
  return state.ringState === 'ringing' ? 'outgoing' : undefined
}

function asError(error: unknown): CallingError {
  return error instanceof CallingError ? error : new CallingError('NETWORK_ERROR', String(error))
}
