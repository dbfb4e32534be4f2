/** Redis frozen while everybody sends at a high rate: what a gateway keeps meanwhile is bounded. */
// alone: it fills the memory of gateways and measures it
import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { joinBoth, newCall, newUser, type Party, type TestCall } from '../support/calls.ts'
import { privateCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'
import { patient } from '../support/patience.ts'
import { pause } from './fleet.ts'
import { RawLink } from './raw-link.ts'
import { BACK_MS, LivenessWatch, pidsOf, rejectionsIn } from './redis-bench.ts'
import { CrowdClient } from './storm/crowd-client.ts'

const FROZEN_MS = 10_000
const WARM_UP_MS = 3000
const CALLS = 6
/** A message of each of their clients in every tick: half of what the flood limit lets through. */
const TICK_MS = 20
const BODY_BYTES = 8 * 1024
const CROWD = 100
/**
 * What waits for its number (32 MiB, in up to four forms), what was written to Redis and not taken (32 MiB and a flush),
 * and what the garbage collector leaves lying on a busy machine. Unbounded it would be some 10 MiB more in each second.
 */
const GROWTH_MAX_MIB = 250

/** The promise is 3 s; the whole load is on the machine that runs the tests, beside whatever else it does. */
const STARVED = 2

type Habit = 'new ids' | 'the same id' | 'reports' | 'joins for ever'
const HABITS: Habit[] = ['new ids', 'the same id', 'new ids', 'reports', 'joins for ever']

/** A client that sends without waiting for anything. */
class Sender {
  readonly acked = new Set<string>()
  readonly #party: Party
  readonly #call: TestCall
  readonly #to: string
  readonly #habit: Habit
  readonly #link: RawLink
  #number = 0

  constructor(url: string, call: TestCall, party: Party, habit: Habit) {
    this.#party = party
    this.#call = call
    this.#to = party === call.caller ? call.callee.id : call.caller.id
    this.#habit = habit
    const options = { url, callId: call.id, token: party.token, device: '', since: undefined, anywhere: false }
    this.#link = new RawLink(
      { ...options, handshakeMs: 5000 },
      {
        onOpen: () => this.#join(),
        onMessage: (message) => {
          if (message.type === 'user-joined') this.isJoined = true
          if (message.type === 'ack') this.acked.add(String(message.id))
        },
        onAck: () => {},
        onClosed: () => {
          this.isClosed = true
        },
      },
    )
  }

  isJoined = false
  isClosed = false

  #join(): void {
    this.#link.send({ type: 'join-room', call_id: this.#call.id, user_id: this.#party.id })
  }

  tick(): void {
    this.#number += 1
    const ids = { call_id: this.#call.id, user_id: this.#party.id }
    if (this.#habit === 'reports') return this.#link.send({ type: 'connection-state', ...ids, state: 'connected' })
    if (this.#habit === 'joins for ever' && this.#number % 50 === 1) {
      this.#link.send({ type: 'leave-room', ...ids })
      this.#join()
    }
    this.offer(this.#habit === 'the same id' ? 'same' : `n${this.#number}`, BODY_BYTES)
  }

  /** A join that failed meanwhile is the client's to repeat. */
  sendAfter(id: string): void {
    if (this.#habit === 'joins for ever') this.#join()
    this.offer(id, 10)
  }

  offer(id: string, bytes: number): void {
    const sdp = 'x'.repeat(bytes)
    this.#link.send({ type: 'offer', call_id: this.#call.id, from: this.#party.id, to: this.#to, sdp, id })
  }

  drop(): void {
    this.#link.drop()
  }
}

describe('a frozen Redis under pressure', () => {
  let cluster: Cluster
  const senders: Sender[] = []
  const crowd: CrowdClient[] = []
  const timers: NodeJS.Timeout[] = []
  let liveness: LivenessWatch | undefined

  before(async function () {
    this.timeout(60_000)
    cluster = await privateCluster({
      env: {
        FLOOD_MESSAGES_PER_SECOND: '100000',
        FLOOD_BURST: '100000',
        FLOOD_BYTES_PER_SECOND: '100000000',
        FLOOD_BURST_BYTES: '100000000',
      },
    })
  })
  after(async () => {
    for (const timer of timers) clearInterval(timer)
    await liveness?.stop()
    for (const sender of senders) sender.drop()
    for (const client of crowd) client.stop()
    await cluster.stop()
  })

  const rssMib = () =>
    cluster.description.gateways.map(({ pid }) => {
      const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
      return Math.round(Number(kib) / 1024)
    })

  it('costs bounded memory, and all is well again within 3 s', async () => {
    const calls = await Promise.all(Array.from({ length: CALLS }, () => newCall(cluster)))
    for (const [index, call] of calls.entries()) {
      await call.answer()
      // Both peers on one node, where messages go on, and on two, where they wait.
      for (const [party, at] of [
        [call.caller, 0],
        [call.callee, index % 2],
      ] as const)
        senders.push(new Sender(cluster.gateway(at).url, call, party, HABITS[senders.length % 5] ?? 'new ids'))
    }
    await eventually(() => expect(senders.every(({ isJoined }) => isJoined)).to.equal(true))
    const pids = pidsOf(cluster)
    liveness = new LivenessWatch(cluster)
    const pressing = setInterval(() => {
      for (const sender of senders) sender.tick()
    }, TICK_MS)
    timers.push(pressing)
    // What the same traffic takes while all is well.
    await pause(WARM_UP_MS)
    const before = rssMib()
    const peak = [...before]

    await cluster.kill('redis', 'SIGSTOP')
    const watching = setInterval(() => {
      for (const [index, mib] of rssMib().entries()) peak[index] = Math.max(peak[index] ?? 0, mib)
    }, 100)
    timers.push(watching)
    for (let index = 0; index < CROWD; index++) {
      const targets = [0, 1].map((at) => ({ host: '127.0.0.1', port: cluster.gateway(at).port }))
      const options = { targets, localAddress: '127.0.0.1', token: newUser(cluster).token, transport: 'raw' as const }
      const client = new CrowdClient(options, { onIn() {}, onFailure() {}, onLost() {} })
      crowd.push(client)
      client.start()
    }
    await pause(FROZEN_MS)
    clearInterval(pressing)
    await cluster.kill('redis', 'SIGCONT')
    const backAt = performance.now()

    // Those whose link the flood limit or their own slowness has cut are not what is asked here.
    const left = senders.filter(({ isClosed }) => !isClosed)
    await eventually(() => {
      for (const [index, sender] of left.entries())
        if (!sender.acked.has(`after ${index}`)) sender.sendAfter(`after ${index}`)
      expect(left.filter((sender, index) => !sender.acked.has(`after ${index}`) && !sender.isClosed)).to.have.length(0)
    }, BACK_MS * 3)
    const backMs = performance.now() - backAt
    await eventually(() => expect(crowd.filter(({ isIn }) => !isIn)).to.have.length(0), BACK_MS * 3)

    const growth = peak.map((mib, index) => mib - (before[index] ?? 0))
    expect(Math.max(...growth), `MiB of growth: ${growth}`).to.be.lessThan(GROWTH_MAX_MIB)
    const words = `${Math.round(backMs)} ms; MiB before ${before}, at most ${peak}`
    expect(backMs, words).to.be.lessThan(patient(BACK_MS * STARVED))
    expect(left.length).to.be.greaterThan(senders.length / 2)
    expect(await liveness?.stop()).to.deep.equal([])
    expect(pidsOf(cluster)).to.deep.equal(pids)
    expect(rejectionsIn(cluster)).to.deep.equal([])
    for (const call of calls) expect((await call.status()).status).to.equal('active')
  }).timeout(90_000)

  it('refuses at once what a client sends again and again, beyond what may wait', async () => {
    const { caller } = await joinBoth(await newCall(cluster), { caller: 'raw' })
    const again = { ...caller.offerMessage('x'.repeat(60 * 1024)), id: 'again' }

    await cluster.kill('redis', 'SIGSTOP')
    try {
      // 12 MiB, where 6 of a call may wait.
      for (let count = 0; count < 200; count++) await caller.send(again)
      const { error } = await caller.next('error', 5000)
      expect(error).to.include({ code: 'SERVICE_UNAVAILABLE' })
    } finally {
      await cluster.kill('redis', 'SIGCONT')
    }

    expect((await caller.next('ack')).id).to.equal('again')
  }).timeout(30_000)

  it('refuses at once what does not fit in front of a join', async () => {
    const call = await newCall(cluster)
    const peer = await call.caller.connect('raw', { at: 0 })
    let taken = 0

    await cluster.kill('redis', 'SIGSTOP')
    try {
      await peer.send({ type: 'join-room', call_id: call.id, user_id: call.caller.id })
      // 6 MiB, where 4 may wait.
      const sdp = 'x'.repeat(60 * 1024)
      for (let count = 0; count < 100; count++) await peer.send({ ...peer.offerMessage(sdp), id: count })
      const refused = await peer.next('error', 5000)
      expect(refused.error).to.include({ code: 'SERVICE_UNAVAILABLE' })
      taken = Number(refused.ref)
      expect(taken).to.be.within(60, 70)
    } finally {
      await cluster.kill('redis', 'SIGCONT')
    }

    for (let count = 0; count < taken; count++) expect((await peer.next('ack')).id).to.equal(count)
  }).timeout(30_000)
})
