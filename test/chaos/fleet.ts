/** Many calls with a ledger client on each side: made over HTTP, answered, joined through the edge, and brought to rest. */
import { Redis } from 'ioredis'
import type { Side } from '../../core/rooms/room.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { ApiClient } from '../support/api-client.ts'
import { newCall, type TestCall } from '../support/calls.ts'
import { Ledger } from './ledger.ts'
import { LedgerClient, type Transport } from './ledger-client.ts'

export interface FleetOptions {
  calls: number
  /** Mean pause of a client between two bursts, ms. */
  pauseMs: number
  /** The transports of callers and callees, in turn. */
  transports?: [Transport, Transport][]
  /** Patience with a missing ack, ms, in turn: short ones leave a stopped node, long ones sit it out. */
  patiencesMs?: number[]
  /** Where the edge is, if not at the cluster's own. */
  url?: string
}

export interface FleetCall {
  id: string
  call: TestCall
  caller: LedgerClient
  callee: LedgerClient
}

/** Every mix, in such an order that few calls hold most of it. `anywhere` puts the two peers on two nodes, mostly. */
const MIXES: [Transport, Transport][] = [
  ['raw', 'socketio anywhere'],
  ['socketio', 'raw'],
  ['raw', 'raw'],
  ['socketio anywhere', 'socketio'],
  ['socketio anywhere', 'raw'],
  ['socketio', 'socketio'],
  ['socketio anywhere', 'socketio anywhere'],
]
/** Two of three are impatient. The last one waits longer than a node is ever stopped. */
const PATIENCES_MS = [2500, 4000, 20_000]
/** Calls made at once: the API's work, not what is tested here. */
const SET_UP_CONCURRENCY = 16
const JOIN_DEADLINE_MS = 20_000
/** A lost publish is noticed by the next beat, 2 s at most; twice that. */
const QUIET_MS = 4500

export class Fleet {
  readonly ledger = new Ledger()
  readonly calls: FleetCall[] = []
  readonly #cluster: Cluster
  readonly #options: FleetOptions

  private constructor(cluster: Cluster, options: FleetOptions) {
    this.#cluster = cluster
    this.#options = options
  }

  /** Resolves once every call is answered and every client has joined. */
  static async start(cluster: Cluster, options: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet(cluster, options)
    running.add(fleet)
    await inParallel(options.calls, SET_UP_CONCURRENCY, (index) => fleet.#add(index))
    return fleet
  }

  async #add(index: number): Promise<void> {
    const { transports = MIXES, patiencesMs = PATIENCES_MS, pauseMs, url = this.#cluster.url } = this.#options
    const call = await newCall(this.#cluster)
    // Every other call is between known devices: a newer connection replaces the older one there.
    const devices = index % 2 === 0 ? ['', ''] : [`caller-${index}`, `callee-${index}`]
    await call.answer(devices[1] || undefined)
    const mix = transports[index % transports.length] ?? ['raw', 'raw']
    const clients = ([call.caller, call.callee] as const).map((party, at) => {
      const side: Side = at === 0 ? 'a' : 'b'
      return new LedgerClient(
        {
          url,
          callId: call.id,
          side,
          userId: party.id,
          otherId: side === 'a' ? call.callee.id : call.caller.id,
          token: party.token,
          device: devices[at] ?? '',
          transport: mix[at] ?? 'raw',
          patienceMs: patiencesMs[(index + at) % patiencesMs.length] ?? 4000,
          pauseMs,
        },
        this.ledger,
      )
    })
    const [caller, callee] = clients as [LedgerClient, LedgerClient]
    this.ledger.open(call.id, mix.join(' / '))
    this.calls.push({ id: call.id, call, caller, callee })
    caller.start()
    callee.start()
    await before(JOIN_DEADLINE_MS, Promise.all([caller.joined, callee.joined]), `call ${call.id} was not joined`)
  }

  get clients(): LedgerClient[] {
    return this.calls.flatMap(({ caller, callee }) => [caller, callee])
  }

  startSending(): void {
    for (const client of this.clients) client.startSending()
  }

  /**
   * No new messages; waits until all that were sent are acknowledged and delivered. False after the deadline, or when
   * everybody is connected, has every ack, and nothing came for `quietMs`: what is missing then will not come.
   */
  async settle(deadlineMs: number, quietMs: number = QUIET_MS): Promise<boolean> {
    for (const client of this.clients) client.stopSending()
    const deadlineAt = performance.now() + deadlineMs
    let seen = { movement: this.ledger.movement, at: performance.now() }
    while (!(this.ledger.isSettled && this.clients.every((client) => client.isJoined))) {
      const now = performance.now()
      const { movement } = this.ledger
      const mayMove = this.clients.some((client) => !client.isJoined || client.unacked > 0)
      if (mayMove || movement !== seen.movement) seen = { movement, at: now }
      if (now > deadlineAt || now - seen.at > quietMs) return false
      await pause(50)
    }
    // What comes twice comes after what came once.
    await pause(300)
    return true
  }

  /** Calls that are not `active` any more, by GET status. */
  async notActive(): Promise<string[]> {
    const wrong: string[] = []
    const api = new ApiClient(this.#cluster.api(0).url)
    await inParallel(this.calls.length, SET_UP_CONCURRENCY, async (index) => {
      const { id, call } = this.calls[index] as FleetCall
      const { status, body } = await api.as(call.caller.token).status(id)
      if (status !== 200 || body.status !== 'active') wrong.push(`${id} ${status} ${body?.status}`)
    })
    return wrong
  }

  /** How many calls have both, or one, of their peers on a gateway, as the roster in Redis says. Fails fast without Redis. */
  async peersOn(gateway: string): Promise<{ both: number; one: number }> {
    const { port } = this.#cluster.description.redis
    const redis = new Redis(port, '127.0.0.1', { commandTimeout: 200, retryStrategy: () => null })
    redis.on('error', () => {
      // Reported by the command that fails of it.
    })
    try {
      const pipeline = redis.pipeline()
      const prefix = this.#cluster.env.REDIS_KEY_PREFIX ?? 'tchat:'
      for (const { id } of this.calls) pipeline.hvals(`${prefix}roster:${id}`)
      const rosters = (await pipeline.exec()) ?? []
      const found = { both: 0, one: 0 }
      for (const [error, seats] of rosters) {
        if (error !== null) throw error
        const here = (seats as string[]).filter((seat) => seat.slice(2).startsWith(`${gateway}.`))
        const sides = new Set(here.map((seat) => seat[0])).size
        if (sides === 2) found.both += 1
        else if (sides === 1) found.one += 1
      }
      return found
    } finally {
      redis.disconnect()
    }
  }

  stop(): void {
    running.delete(this)
    for (const client of this.clients) client.stop()
  }
}

const running = new Set<Fleet>()

/** For `afterEach`: a test that failed half way leaves no client behind. */
export function stopAllFleets(): void {
  for (const fleet of running) fleet.stop()
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function before<T>(ms: number, work: Promise<T>, otherwise: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(otherwise)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

async function inParallel(count: number, width: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: Math.min(width, count) }, async () => {
      while (next < count) {
        const index = next
        next += 1
        await work(index)
      }
    }),
  )
}
