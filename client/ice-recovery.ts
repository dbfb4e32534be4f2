/** When a new way is looked for between the two sides, and when that is given up. */
import type { Timer } from './platform.ts'

export interface RecoveryOptions {
  /** The caller goes first; the callee only where the caller does nothing, so that they do not cross each other. */
  leads: boolean
  giveUpAfterMs: number
  restart(): void
  giveUp(): void
}

/** `disconnected` often heals by itself. */
const PATIENCE_MS = 4_000
/** Time that the leading side has to send its offer. */
const FOLLOW_MS = 2_000
/** A first way is found in a second or two; some stacks look for one for ever, and never say that they have failed. */
const FIRST_WAY_MS = 8_000
/** A restart needs some time before another one may help. */
const BETWEEN_RESTARTS_MS = 5_000

export class IceRecovery {
  readonly #options: RecoveryOptions
  #state: RTCPeerConnectionState = 'new'
  #hasSignaling = false
  #agreed = false
  #over = false
  #restarting: Timer | undefined
  #givingUp: Timer | undefined

  constructor(options: RecoveryOptions) {
    this.#options = options
  }

  /** The peer connection has changed its state. */
  changed(state: RTCPeerConnectionState): void {
    this.#state = state
    // Nobody has asked for a close: a stack that gave up by itself can only be given up.
    if (state === 'connected' || state === 'closed') clearTimeout(this.#restarting)
    else if (state === 'disconnected') this.#restartIn(PATIENCE_MS)
    else if (state === 'failed') this.lookForWay()
    this.#judge()
  }

  /**
   * Both sides have described themselves: from now on media should find its way, and if it does not, another attempt may.
   */
  agreed(): void {
    this.#agreed = true
    this.#judge()
    if (this.#state !== 'new' && this.#state !== 'connecting') return
    this.#restartIn(FIRST_WAY_MS + (this.#options.leads ? 0 : FOLLOW_MS))
  }

  /** The old way is known to be bad, or a message may be missing. */
  lookForWay(): void {
    this.#restartIn(this.#options.leads ? 0 : FOLLOW_MS)
  }

  /** The network under us has changed: who notices it acts. */
  networkChanged(): void {
    this.#restartIn(0)
  }

  /** The other side has offered: it has acted already. */
  offered(): void {
    if (this.#state === 'failed') this.#restartIn(BETWEEN_RESTARTS_MS)
    else clearTimeout(this.#restarting)
  }

  /** Without signaling no new way can be agreed on: that time is not counted. */
  signaling(isThere: boolean): void {
    this.#hasSignaling = isThere
    if (isThere && this.#state === 'failed') this.lookForWay()
    this.#judge()
  }

  close(): void {
    this.#over = true
    this.changed('closed')
  }

  /** The time of giving up runs as long as no way is found, over all attempts. */
  #judge(): void {
    const isInVain = this.#agreed && this.#hasSignaling && this.#state !== 'connected' && !this.#over
    if (isInVain) {
      this.#givingUp ??= setTimeout(() => this.#options.giveUp(), this.#options.giveUpAfterMs)
    } else {
      clearTimeout(this.#givingUp)
      this.#givingUp = undefined
    }
  }

  #restartIn(ms: number): void {
    if (this.#state === 'closed') return
    clearTimeout(this.#restarting)
    this.#restarting = setTimeout(() => this.#restart(), ms)
  }

  #restart(): void {
    this.#options.restart()
    if (this.#state === 'failed') this.#restartIn(BETWEEN_RESTARTS_MS)
  }
}
