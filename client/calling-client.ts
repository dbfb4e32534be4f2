/** The client of the calling service: one for each signed-in user of a page or process. */
import type { CallStatusMessage, IncomingCallMessage } from '../core/protocol/signaling.ts'
import { Call } from './call.ts'
import { assertAllowed, type CallContext, handshakeAddress, iceServersOf } from './call-context.ts'
import { asCallingError, CallingError } from './errors.ts'
import { Events } from './events.ts'
import { type Identity, readIdentity } from './identity.ts'
import { LocalMedia } from './local-media.ts'
import { type CallingClientOptions, type Settings, settle } from './options.ts'
import type { SocketEnd } from './reconnecting-socket.ts'
import { RestClient } from './rest-client.ts'
import { UserChannel } from './user-channel.ts'

/** `offline`: not connected, and not trying; `connecting`: trying, also after a loss; `online`: can be called. */
export type ClientState = 'offline' | 'connecting' | 'online'

export type ClientEvents = {
  /** Somebody calls. Whoever listens rings: the caller is told so. */
  incoming: [Call]
  /** It can be called, or cannot. */
  state: [ClientState]
  /** Something went wrong beside a call; what can be tried again is. */
  error: [CallingError]
}

export interface CallOptions {
  /** A video call; a voice call otherwise. */
  video?: boolean
  /**
   * What happens where the called user is calling us at the same moment: `merge` takes this as the answer to that call
   * (the call is then `incoming`, of the other's type), otherwise the call is refused with `USER_ALREADY_IN_CALL`.
   */
  onGlare?: 'merge'
}

export class CallingClient extends Events<ClientEvents> {
  readonly #settings: Settings
  readonly #rest: RestClient
  readonly #calls = new Map<string, Call>()
  /** Users whom we call and whose own call we would answer by that, with that call where it has come in meanwhile. */
  readonly #merging = new Map<string, IncomingCallMessage | undefined>()
  readonly #onNetwork = () => this.networkChanged()
  #identity: Identity | undefined
  #channel: UserChannel | undefined
  #connecting: Promise<void> | undefined
  #giveUpConnecting: (reason: CallingError) => void = () => {}
  #state: ClientState = 'offline'

  /** @throws CallingError `INVALID_STATE` where this platform lacks something that the options do not give */
  constructor(options: CallingClientOptions) {
    super()
    this.#settings = settle(options)
    this.#rest = new RestClient(this.#settings.url, this.#settings.token)
  }

  get state(): ClientState {
    return this.#state
  }

  /** Calls that are not over for this device. */
  get calls(): Call[] {
    return [...this.#calls.values()]
  }

  /**
   * Goes online, and stays so over losses until {@link close}. Resolves when the user can be called; rejects where the
   * token is refused, with the service's code.
   */
  connect(): Promise<void> {
    this.#connecting ??= this.#openChannel().catch((error: unknown) => {
      this.#connecting = undefined
      throw asCallingError(error, 'INVALID_TOKEN')
    })
    return this.#connecting
  }

  async #openChannel(): Promise<void> {
    const identity = await this.#whoAmI()
    globalThis.addEventListener?.('online', this.#onNetwork)
    await new Promise<void>((resolve, reject) => {
      this.#giveUpConnecting = reject
      const address = new URL('/ws/events', this.#settings.url)
      this.#channel = new UserChannel(
        this.#settings.WebSocket,
        async () => (await handshakeAddress(this.#settings, identity, address)).href,
        () => this.#rest.iceServersNow(),
        {
          opened: () => {
            this.#become('online')
            // What happened to a ringing call while nobody could tell is asked for.
            for (const call of this.#calls.values())
              if (call.direction === 'incoming' && call.state.phase === 'ringing') void call.check()
            resolve()
          },
          lost: () => this.#become('connecting'),
          incoming: (message) => this.#incoming(identity, message),
          status: (message) => this.#heard(message),
          silenced: (callId) => void this.#calls.get(callId)?.check(),
          failed: (error) => this.emit('error', error),
          ended: (end) => reject(this.#channelEnded(end)),
        },
      )
      this.#become('connecting')
      this.#channel.start()
    })
  }

  /**
   * Calls a user; a call that rings here meanwhile is declined as busy. Resolves when it rings there, or would; rejects with the service's code, for instance
   * `USER_ALREADY_IN_CALL` or `USER_NOT_AVAILABLE`, or with `MEDIA_UNAVAILABLE` before anybody is rung.
   */
  async call(userId: string, { video = false, onGlare }: CallOptions = {}): Promise<Call> {
    const identity = await this.#whoAmI()
    const context = this.#contextOf(identity)
    const media = await LocalMedia.open(this.#settings.getMedia, video)
    const peerId = userId.toLowerCase()
    if (onGlare === 'merge') this.#merging.set(peerId, undefined)
    try {
      const ice = iceServersOf(context, (error) => this.emit('error', error))
      const initiated = await this.#rest.initiate({
        caller_id: identity.userId,
        callee_id: userId,
        call_type: video ? 'video' : 'voice',
        device_id: identity.deviceId,
        // A call that rings here meanwhile finds this user busy; it must not keep them from calling.
        decline_ringing: true,
        ...(onGlare === 'merge' ? { on_glare: onGlare } : {}),
      })
      this.#assertReachable(identity, initiated)
      const merged = 'merged' in initiated
      const facts = { id: initiated.call_id, peerId, signalingUrl: initiated.signaling_url }
      const call = merged
        ? // It may ring here already.
          (this.#calls.get(facts.id) ??
          new Call(context, { ...facts, type: initiated.call_type, direction: 'incoming' }))
        : new Call(context, { ...facts, type: video ? 'video' : 'voice', direction: 'outgoing' })
      this.#calls.set(call.id, call)
      call.ring()
      call.join(media, await ice)
      return call
    } catch (error) {
      media.stop()
      throw asCallingError(error, 'NETWORK_ERROR')
    } finally {
      const passedOver = this.#merging.get(peerId)
      this.#merging.delete(peerId)
      if (passedOver !== undefined) this.#incoming(identity, passedOver)
    }
  }

  /** The network is another one, as the browser's `online` event tells by itself: connects anew and looks for new ways. */
  networkChanged(): void {
    this.#channel?.renew()
    for (const call of this.#calls.values()) call.networkChanged()
  }

  /** Goes offline. Calls that this device has are hung up; one that only rings goes on elsewhere. */
  async close(): Promise<void> {
    globalThis.removeEventListener?.('online', this.#onNetwork)
    this.#channel?.close()
    this.#channel = undefined
    this.#giveUpConnecting(new CallingError('INVALID_STATE', 'The client was closed'))
    this.#connecting = undefined
    this.#become('offline')
    await Promise.allSettled(
      this.calls.map((call) => (call.peerConnection === undefined ? call.drop() : call.hangUp())),
    )
  }

  async #whoAmI(): Promise<Identity> {
    this.#identity ??= readIdentity(await this.#settings.token(), this.#settings.deviceId)
    return this.#identity
  }

  #contextOf(identity: Identity): CallContext {
    return {
      settings: this.#settings,
      rest: this.#rest,
      identity,
      isMergingWith: (userId) => this.#merging.has(userId),
      forget: (callId) => void this.#calls.delete(callId),
    }
  }

  #incoming(identity: Identity, message: IncomingCallMessage): void {
    const { call_id: id, caller_id: peerId, expires_at, server_time } = message
    const ringMs = Date.parse(expires_at) - Date.parse(server_time)
    if (this.#calls.has(id) || ringMs <= 0) return
    if (this.#merging.has(peerId)) {
      // Our own call to the same user is about to answer this one. Where it does not, this one rings afterwards.
      this.#merging.set(peerId, message)
      return
    }
    try {
      assertAllowed(this.#settings, new URL(message.signaling_url))
    } catch (error) {
      // It rings on devices that can take it.
      return this.emit('error', asCallingError(error, 'ORIGIN_REFUSED'))
    }
    const facts = { id, peerId, type: message.call_type, signalingUrl: message.signaling_url, ringMs }
    const call = new Call(this.#contextOf(identity), { ...facts, direction: 'incoming' })
    this.#calls.set(id, call)
    call.ring()
    if (!this.hears('incoming')) return
    this.emit('incoming', call)
    if (call.state.phase === 'ringing') this.#channel?.ringing(id, identity.userId)
  }

  /** A call whose signaling must not be joined is ended: it could never connect. */
  #assertReachable(
    identity: Identity,
    { call_id: id, signaling_url: url }: { call_id: string; signaling_url: string },
  ) {
    try {
      assertAllowed(this.#settings, new URL(url))
    } catch (error) {
      const body = { user_id: identity.userId, reason: 'connection_failed' as const }
      this.#rest.end(id, body).catch((failure: CallingError) => this.emit('error', failure))
      throw error
    }
  }

  #heard(message: CallStatusMessage): void {
    this.#calls.get(message.call_id)?.heard(message)
  }

  #channelEnded({ code, error }: SocketEnd): CallingError {
    this.#channel = undefined
    this.#connecting = undefined
    this.#become('offline')
    const reason = error ?? new CallingError('UNAUTHORIZED', `The service has closed the channel (${code})`)
    this.emit('error', reason)
    return reason
  }

  #become(state: ClientState): void {
    if (this.#state === state) return
    this.#state = state
    this.emit('state', state)
  }
}
