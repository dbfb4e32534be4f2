// A whole call against a running cluster, from the ringing to the history, with two WebRTC stacks that share no code.
import { randomUUID } from 'node:crypto'
import type { ErrorBody } from '../../core/protocol/errors.ts'
import type {
  AnswerResponse,
  EndResponse,
  HistoryResponse,
  IceServersResponse,
  InitiateResponse,
} from '../../core/protocol/http.ts'
import { type Candidate, type DemoConnection, DIRECT, type IceOptions } from './demo-connection.ts'
import { createLibdatachannelConnection } from './libdatachannel-connection.ts'
import { connectRaw, connectSocketIo, type SignalingClient } from './signaling-client.ts'
import { createWeriftConnection } from './werift-connection.ts'

export interface DemoOptions {
  /** Origin of the API, usually the edge's. */
  apiUrl: string
  /** Origins of the gateways. The caller takes the first, the callee the last. */
  gatewayUrls: string[]
  mintToken(userId: string): string
  /** The ports of the groups' edges, where there are several groups. */
  groupPorts?: string[]
  /** Both ends go through a TURN server, with credentials that the API gives them. */
  relayOnly?: boolean
  print(line: string): void
}

export interface DemoResult {
  callId: string
  callerId: string
  calleeId: string
  /** What the callee read from the data channel, and what the caller read. */
  heardByCallee: string
  heardByCaller: string
  /** What both ends found, as their stacks told it. */
  candidates: string[]
  /** The caller's history entry. */
  entry: HistoryResponse['calls'][number]
  /** Each step with the milliseconds since the one before. */
  steps: { name: string; ms: number }[]
}

/** Longer than ICE and DTLS take on a busy machine. */
const CONNECT_DEADLINE_MS = 20_000
const HTTP_DEADLINE_MS = 10_000

/**
 * Runs the call and returns what was seen. Whatever happens, every connection is closed.
 * @throws when a step fails, naming it
 */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const closers: (() => Promise<void> | void)[] = []
  try {
    return await new Demo(options, closers).run()
  } finally {
    for (const close of closers.reverse()) await close()
  }
}

class Demo {
  readonly #options: DemoOptions
  readonly #closers: (() => Promise<void> | void)[]
  readonly #callerId = randomUUID()
  readonly #calleeId = randomUUID()
  readonly #steps: DemoResult['steps'] = []
  #lastStepAt = performance.now()

  constructor(options: DemoOptions, closers: (() => Promise<void> | void)[]) {
    this.#options = options
    this.#closers = closers
  }

  async run(): Promise<DemoResult> {
    const { mintToken, gatewayUrls } = this.#options
    const [callerUrl, calleeUrl] = [gatewayUrls[0], gatewayUrls.at(-1)]
    if (callerUrl === undefined || calleeUrl === undefined) throw new Error('There is no gateway to connect to')
    const callerToken = mintToken(this.#callerId)
    const calleeToken = mintToken(this.#calleeId)
    this.#print(`caller ${this.#callerId} on ${callerUrl}`)
    this.#print(`callee ${this.#calleeId} on ${calleeUrl}`)
    this.#lastStepAt = performance.now()

    const channel = this.#use(await connectSocketIo(calleeUrl, calleeToken))
    this.#step('the callee waits on a user channel (Socket.IO)')

    const body = { caller_id: this.#callerId, callee_id: this.#calleeId, call_type: 'video' }
    const call = await this.#ask<InitiateResponse>('POST', '/calls/initiate', callerToken, body)
    const callId = call.call_id
    const at = { caller: this.#placeOf(call, callerUrl), callee: this.#placeOf(call, calleeUrl) }
    this.#step(
      `the caller initiates call ${callId}${this.#options.groupPorts?.length ? `, in the group at ${at.caller}` : ''}`,
    )

    const ringing = await channel.next('incoming-call')
    if (ringing.call_id !== callId) throw new Error('Another call rang')
    this.#step('the callee rings: incoming-call')

    const caller = this.#use(await connectRaw(at.caller, callerToken, callId))
    await this.#join(caller, callId, this.#callerId)
    this.#step(`the caller joins the call (${caller.transport})`)

    await this.#ask<AnswerResponse>('PUT', `/calls/${callId}/answer`, calleeToken, { user_id: this.#calleeId })
    while ((await caller.next('call-status')).status !== 'active') {}
    this.#step('the callee answers, the caller hears of it: call-status active')

    const callee = this.#use(await connectSocketIo(at.callee, calleeToken, callId))
    await this.#join(callee, callId, this.#calleeId)
    this.#step(`the callee joins the call (${callee.transport})`)

    const ice = { caller: await this.#iceFor(callerToken), callee: await this.#iceFor(calleeToken) }
    const heard = await this.#connectMedia(callId, { caller, callee, ice })

    await this.#ask<EndResponse>('DELETE', `/calls/${callId}`, callerToken, {
      user_id: this.#callerId,
      reason: 'user_hangup',
    })
    while ((await callee.next('call-status')).status !== 'ended') {}
    this.#step('the caller hangs up, the callee hears of it: call-status ended')
    await within(HTTP_DEADLINE_MS, 'the service closes both connections', Promise.all([caller.closed, callee.closed]))
    this.#step('the service closes both connections')

    const path = `/calls/user/${this.#callerId}/history?limit=1`
    const [entry] = (await this.#ask<HistoryResponse>('GET', path, callerToken)).calls
    if (entry?.call_id !== callId) throw new Error('The call is not in the history')
    this.#step('the call is in the history')
    this.#print(JSON.stringify(entry, null, 2))
    return { callId, callerId: this.#callerId, calleeId: this.#calleeId, ...heard, entry, steps: this.#steps }
  }

  /** Offer, answer, candidates as they are found, then a message each way that never touches the service. */
  async #connectMedia(
    callId: string,
    {
      caller,
      callee,
      ice,
    }: Record<'caller' | 'callee', SignalingClient> & { ice: Record<'caller' | 'callee', IceOptions> },
  ) {
    const toCallee = { call_id: callId, from: this.#callerId, to: this.#calleeId }
    const toCaller = { call_id: callId, from: this.#calleeId, to: this.#callerId }
    const candidates: string[] = []
    const trickle = (client: SignalingClient, ids: typeof toCallee) => (candidate: Candidate) => {
      candidates.push(candidate.candidate)
      client.send({ type: 'candidate', ...ids, ...candidate })
    }
    const callerEnd = this.#useConnection(createWeriftConnection(trickle(caller, toCallee), ice.caller))
    const calleeEnd = this.#useConnection(createLibdatachannelConnection(trickle(callee, toCaller), ice.callee))
    caller.send({ type: 'offer', ...toCallee, sdp: await callerEnd.createOffer() })
    const offer = await callee.next('offer')
    this.#step(`offer, made by ${callerEnd.stack}`)

    callee.send({ type: 'answer', ...toCaller, sdp: await calleeEnd.acceptOffer(offer.sdp) })
    await callerEnd.acceptAnswer((await caller.next('answer')).sdp)
    this.#step(`answer, made by ${calleeEnd.stack}`)

    this.#takeCandidates(caller, callerEnd)
    this.#takeCandidates(callee, calleeEnd)
    const opened = Promise.all([callerEnd.channel.opened, calleeEnd.channel.opened])
    await within(CONNECT_DEADLINE_MS, 'the peers connect', opened)
    this.#step('candidates found a way: the peers are connected, the data channel is open')

    callerEnd.channel.send('hello from the caller')
    calleeEnd.channel.send('hello from the callee')
    const messages = Promise.all([calleeEnd.channel.firstMessage, callerEnd.channel.firstMessage])
    const [heardByCallee, heardByCaller] = await within(CONNECT_DEADLINE_MS, 'the messages arrive', messages)
    this.#step(`the callee reads "${heardByCallee}", the caller reads "${heardByCaller}"`)
    return { heardByCallee, heardByCaller, candidates }
  }

  /** A gateway of its own for each, unless the call lives in another group (docs/groups.md): there its edge chooses one. */
  #placeOf({ signaling_url: signalingUrl }: InitiateResponse, gatewayUrl: string): string {
    const { origin, port } = new URL(signalingUrl.replace(/^ws/, 'http'))
    return this.#options.groupPorts?.includes(port) ? origin : gatewayUrl
  }

  async #iceFor(token: string): Promise<IceOptions> {
    if (!this.#options.relayOnly) return DIRECT
    const { iceServers } = await this.#ask<IceServersResponse>('GET', '/webrtc/ice-servers', token)
    const relays = iceServers.filter(({ credential }) => credential !== undefined)
    if (relays.length === 0) throw new Error('No TURN server is configured. Start the cluster with "TURN=1 make up".')
    return { iceServers: relays, relayOnly: true }
  }

  #takeCandidates(client: SignalingClient, end: DemoConnection): void {
    client.on('candidate', ({ candidate, sdp_mid, sdp_m_line_index }) => {
      const found = { candidate, sdp_mid: sdp_mid ?? null, sdp_m_line_index: sdp_m_line_index ?? null }
      end.addCandidate(found).catch((error: Error) => end.channel.failed(error.message))
    })
  }

  async #join(client: SignalingClient, callId: string, userId: string): Promise<void> {
    client.send({ type: 'join-room', call_id: callId, user_id: userId })
    await client.next('user-joined')
  }

  async #ask<T>(method: string, path: string, token: string, body?: object): Promise<T> {
    const response = await fetch(`${this.#options.apiUrl}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(HTTP_DEADLINE_MS),
    })
    const answer = (await response.json()) as T & Partial<ErrorBody>
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status} ${answer.error?.code}`)
    return answer
  }

  #use(client: SignalingClient): SignalingClient {
    this.#closers.push(() => client.close())
    return client
  }

  #useConnection(connection: DemoConnection): DemoConnection {
    this.#closers.push(() => connection.close())
    return connection
  }

  #step(name: string): void {
    const now = performance.now()
    const ms = Math.round((now - this.#lastStepAt) * 10) / 10
    this.#lastStepAt = now
    this.#steps.push({ name, ms })
    this.#print(`${ms.toFixed(1).padStart(8)} ms  ${name}`)
  }

  #print(line: string): void {
    this.#options.print(line)
  }
}

async function within<T>(deadlineMs: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`Not within ${deadlineMs / 1000} s: ${what}`)), deadlineMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
