/**
 * The orderly end of a node: it takes no new connection, waits until the edge has seen that, then sends its peers away
 * in shuffled waves, with a close that makes their clients connect again at once. Their users keep their places.
 */
import type { Logger } from '../core/platform/logger.ts'
import { CLOSE } from '../core/protocol/signaling.ts'
import type { NodeState } from '../core/rooms/node-directory.ts'
import type { Membership } from './membership.ts'
import type { PeerRegistry } from './peer-registry.ts'

/** Two of the edge's checks (500 ms each) must have failed before nobody is sent here any more. */
const EDGE_NOTICE_MS = 1100
/** Peers are sent away in so many waves; a node's worth of clients does not reconnect in the same instant. */
const WAVES = 20

export class Drain {
  #running: Promise<void> | undefined
  #isDone = false
  readonly #registry: PeerRegistry
  readonly #membership: Membership
  readonly #windowMs: number
  readonly #log: Logger
  started = false

  /** `windowMs`: the time over which peers are sent away. */
  constructor(registry: PeerRegistry, membership: Membership, windowMs: number, log: Logger) {
    this.#windowMs = windowMs
    this.#registry = registry
    this.#membership = membership
    this.#log = log
  }

  get state(): NodeState {
    if (this.#isDone) return 'drained'
    return this.started ? 'draining' : 'serving'
  }

  /** Resolves when the peers are gone and Redis knows; several callers, a signal and an operator say, share one drain. */
  run(): Promise<void> {
    this.#running ??= this.#run()
    return this.#running
  }

  async #run(): Promise<void> {
    this.started = true
    if (this.#registry.peers.size > 0) await pause(EDGE_NOTICE_MS)
    const peers = shuffled([...this.#registry.peers.values()])
    this.#log.info({ peers: peers.length }, 'moving peers to other nodes')
    const size = Math.ceil(peers.length / WAVES)
    for (let at = 0; at < peers.length; at += size) {
      for (const peer of peers.slice(at, at + size)) peer.move(CLOSE.RESTARTING, 'restarting, connect again', 'drained')
      await pause(this.#windowMs / WAVES)
    }
    // Those whose handshake was under way when the others were sent away.
    for (const peer of this.#registry.peers.values()) peer.transport.move(CLOSE.RESTARTING, 'restarting, connect again')
    await this.#membership.settled()
    this.#isDone = true
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Fisher-Yates: every order is equally likely. */
function shuffled<T>(items: T[]): T[] {
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1))
    const item = items[last] as T
    items[last] = items[other] as T
    items[other] = item
  }
  return items
}
