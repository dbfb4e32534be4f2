/** A call between two users who never existed before, and the peers of both. */
import { randomUUID } from 'node:crypto'
import type { CallStatusResponse } from '../../core/protocol/http.ts'
import type { CallType } from '../../core/protocol/signaling.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { type ApiResponse, createUser, persistently, type TestUser } from './api-client.ts'
import { connectPeer, type PeerKind } from './connect-peer.ts'
import type { Peer, PeerOptions } from './peer.ts'
import { mintToken, type TokenClaims } from './tokens.ts'

/** Where a peer connects: a gateway by its index, or the edge. */
export type Entry = number | 'edge'
export type ConnectOptions = Partial<PeerOptions> & { at?: Entry }

/** One side of a call. */
export class Party {
  readonly user: TestUser
  readonly id: string
  readonly token: string
  readonly #cluster: Cluster
  readonly #callId: string
  readonly #otherId: string
  readonly #home: Entry

  constructor(cluster: Cluster, user: TestUser, options: { callId: string; otherId: string; home: Entry }) {
    this.user = user
    this.id = user.id
    this.token = user.token
    this.#cluster = cluster
    this.#callId = options.callId
    this.#otherId = options.otherId
    this.#home = options.home
  }

  /** A connection to the call. Where nothing else is said the two sides connect to two different gateways. */
  connect(kind: PeerKind = 'raw', options: ConnectOptions = {}): Promise<Peer> {
    return connectPeer(kind, this.optionsFor(options))
  }

  /** A connection that has joined the room. */
  async joinAs(kind: PeerKind = 'raw', options: ConnectOptions = {}): Promise<Peer> {
    const peer = await this.connect(kind, options)
    await peer.join()
    return peer
  }

  /** What {@link connect} would use, for handshakes that are to be refused. */
  optionsFor({ at = this.#home, ...options }: ConnectOptions = {}): PeerOptions {
    return {
      url: entryUrl(this.#cluster, at),
      userId: this.id,
      callId: this.#callId,
      otherId: this.#otherId,
      token: this.token,
      ...options,
    }
  }

  /** Another token of the same user. */
  tokenWith(claims: Partial<TokenClaims>): string {
    return mintToken(this.#cluster.jwtSecret, { ...claims, sub: this.id })
  }
}

export interface TestCall {
  id: string
  caller: Party
  callee: Party
  /** The callee accepts; waits for the answer's 200. */
  answer(deviceId?: string): Promise<void>
  /** The caller hangs up; waits for the answer's 200. */
  end(reason?: 'user_hangup' | 'connection_failed' | 'timeout'): Promise<void>
  /** GET status, as the caller sees it. */
  status(): Promise<CallStatusResponse>
}

export interface NewCallOptions {
  type?: CallType
  callerClaims?: Partial<TokenClaims>
  calleeClaims?: Partial<TokenClaims>
  caller?: TestUser
  callee?: TestUser
  /** Which API process is asked. */
  api?: number
}

/** Creates a call between new users over HTTP. It rings; nobody is connected to it. */
export async function newCall(cluster: Cluster, options: NewCallOptions = {}): Promise<TestCall> {
  const { url } = cluster.api(options.api ?? 0)
  const caller = options.caller ?? createUser(url, cluster.jwtSecret, options.callerClaims)
  const callee = options.callee ?? createUser(url, cluster.jwtSecret, options.calleeClaims)
  const body = { caller_id: caller.id, callee_id: callee.id, call_type: options.type ?? ('voice' as const) }
  const key = randomUUID()
  const initiated = await persistently(() => caller.api.initiate(body, key))
  expectStatus(initiated, 201)
  const callId = initiated.body.call_id
  return {
    id: callId,
    caller: new Party(cluster, caller, { callId, otherId: callee.id, home: 0 }),
    callee: new Party(cluster, callee, { callId, otherId: caller.id, home: 1 }),
    async answer(deviceId) {
      const device = deviceId === undefined ? {} : { device_id: deviceId }
      expectStatus(await callee.api.answer(callId, { user_id: callee.id, ...device }), 200)
    },
    async end(reason = 'user_hangup') {
      expectStatus(await caller.api.end(callId, { user_id: caller.id, reason }), 200)
    },
    async status() {
      const response = await caller.api.status(callId)
      expectStatus(response, 200)
      return response.body
    },
  }
}

/** Both sides joined, on two gateways, and both know that the other one is there. */
export async function joinBoth(
  call: TestCall,
  kinds: { caller?: PeerKind; callee?: PeerKind } = {},
): Promise<{ caller: Peer; callee: Peer }> {
  const caller = await call.caller.joinAs(kinds.caller)
  const callee = await call.callee.joinAs(kinds.callee)
  await caller.next((message) => message.type === 'user-joined' && message.user_id === callee.userId)
  return { caller, callee }
}

/** A user channel: it joins no room, it hears of the user's calls. */
export function openChannel(
  cluster: Cluster,
  user: TestUser,
  kind: PeerKind = 'raw',
  { at = 0, ...options }: ConnectOptions = {},
): Promise<Peer> {
  return connectPeer(kind, { url: entryUrl(cluster, at), userId: user.id, token: user.token, ...options })
}

/** A user with a client for this cluster's first API process. */
export function newUser(cluster: Cluster, claims?: Partial<TokenClaims>): TestUser {
  return createUser(cluster.api(0).url, cluster.jwtSecret, claims)
}

function entryUrl(cluster: Cluster, at: Entry): string {
  return at === 'edge' ? cluster.url : cluster.gateway(at).url
}

function expectStatus(response: ApiResponse<unknown>, status: number): void {
  if (response.status !== status) throw new Error(`Expected ${status}, got ${response.status}: ${response.text}`)
}
