/**
 * One trial of the question that a sharded signaling service must answer: do two peers on two gateways always reach each
 * other, whatever happens at the same instant? The scenario, the transports, the gateways and the moments are random.
 */
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { type ConnectOptions, newCall, type Party, type TestCall } from '../support/calls.ts'
import { PEER_KINDS, type PeerKind } from '../support/connect-peer.ts'
import { eventually } from '../support/eventually.ts'
import { type Peer, Refused } from '../support/peer.ts'
import { pick, pickIndex, type Random, seededRandom } from '../support/randomness.ts'

export interface TrialOutcome {
  scenario: string
  /** Messages that had to arrive. */
  messages: number
  /** What went wrong, in words; empty if nothing did. */
  problems: string[]
}

interface Setting {
  call: TestCall
  random: Random
  /** Two different gateways, and the third. */
  gateways: [number, number, number]
  kinds: [PeerKind, PeerKind]
  deadlineMs: number
}

type Scenario = (setting: Setting) => Promise<Omit<TrialOutcome, 'scenario'>>

/** Joins, sends and losses of one trial happen within this, so that any order of them can come about. */
const WINDOW_MS = 15

/** Each takes a node a second of waiting for Redis. */
const CONNECT_ATTEMPTS = 5

export async function runTrial(cluster: Cluster, seed: number, deadlineMs: number): Promise<TrialOutcome> {
  const random = seededRandom(seed)
  const [name, scenario] = pick(random, SCENARIOS)
  const first = pickIndex(random, 3)
  const second = (first + 1 + pickIndex(random, 2)) % 3
  const kinds: [PeerKind, PeerKind] = [pickKind(random), pickKind(random)]
  const call = await newCall(cluster, { api: pickIndex(random, cluster.description.api.length) })
  const gateways: [number, number, number] = [first, second, 3 - first - second]
  return { scenario: name, ...(await scenario({ call, random, gateways, kinds, deadlineMs })) }
}

const pickKind = (random: Random): PeerKind => PEER_KINDS[pickIndex(random, 2)] ?? 'raw'

/** Both join at the same instant and each sends at once, before it could know whether anybody is there. */
const bothAtOnce: Scenario = async (setting) => {
  const [caller, callee] = await connectBoth(setting)
  const sent = { caller: names('caller', 1 + pickIndex(setting.random, 3)), callee: names('callee', 1) }
  const enter = (peer: Peer, candidates: string[]) => {
    peer.send(peer.joinMessage())
    for (const name of candidates) peer.candidate(name)
  }

  await Promise.all([soon(setting, () => enter(caller, sent.caller)), soon(setting, () => enter(callee, sent.callee))])

  const problems = [
    ...(await missing(setting, callee, sent.caller)),
    ...(await missing(setting, caller, sent.callee)),
    ...(await wrongView(setting, caller, 2)),
    ...(await wrongView(setting, callee, 2)),
  ]
  await close(caller, callee)
  return { messages: sent.caller.length + sent.callee.length, problems }
}

/** One is there for long and sends in the very moment in which the other joins. */
const sentIntoAJoin: Scenario = async (setting) => {
  const [caller, callee] = await connectBoth(setting)
  await caller.join()
  const sent = names('caller', 1 + pickIndex(setting.random, 2))

  await Promise.all([
    soon(setting, () => callee.send(callee.joinMessage())),
    ...sent.map((name) => soon(setting, () => caller.candidate(name))),
  ])

  const problems = [...(await missing(setting, callee, sent, 'any order')), ...(await wrongView(setting, caller, 2))]
  await close(caller, callee)
  return { messages: sent.length, problems }
}

/** One joins, sends, hears that its message is safe and is lost, while the other joins. */
const sentByOneWhoIsLost: Scenario = async (setting) => {
  const [caller, callee] = await connectBoth(setting)
  const sent = names('caller', 1)
  const problems: string[] = []

  await Promise.all([
    soon(setting, async () => {
      await caller.join()
      const reply = await caller.sendAndAck(caller.candidateMessage(sent[0] ?? ''))
      if (!reply.ok) problems.push(`was refused: ${reply.error.code}`)
      await caller.terminate()
    }),
    soon(setting, () => callee.send(callee.joinMessage())),
  ])

  problems.push(...(await missing(setting, callee, sent)))
  await close(callee)
  return { messages: sent.length, problems }
}

/** One sends on while the other is lost and comes back, by `since`, on another gateway. */
const sentIntoAReconnect: Scenario = async (setting) => {
  const { call, random, gateways, deadlineMs } = setting
  const [caller, callee] = await connectBoth(setting)
  await Promise.all([caller.join(), callee.join()])
  const sent = names('caller', 6)
  const taken: string[] = []
  let back: Peer | undefined

  const sending = (async () => {
    for (const name of sent) await soon(setting, () => caller.candidate(name), WINDOW_MS / 3)
  })()
  await soon(setting, async () => {
    const since = callee.received.filter(({ type }) => type !== 'ack').at(-1)?.seq
    taken.push(...candidatesOf(callee))
    await callee.terminate()
    back = await connectPatiently(call.callee, pickKind(random), { at: gateways[2], since })
  })
  await sending

  const problems: string[] = []
  if (back) {
    const resumed = await back.next('resumed', deadlineMs).catch(() => undefined)
    if (resumed?.recovered !== true) problems.push(`resumed with recovered: ${resumed?.recovered}`)
    problems.push(...(await missing(setting, back, sent.slice(taken.length))))
    await close(back)
  }
  await close(caller)
  return { messages: sent.length, problems }
}

/** One sends while the other, without `since`, is lost and joins again: at least once, and in order. */
const sentIntoARejoin: Scenario = async (setting) => {
  const { call, gateways, kinds } = setting
  const [caller, callee] = await connectBoth(setting)
  await Promise.all([caller.join(), callee.join()])
  const sent = names('caller', 4)

  const sending = (async () => {
    for (const name of sent) await soon(setting, () => caller.candidate(name), WINDOW_MS / 3)
  })()
  await soon(setting, () => callee.terminate())
  const back = await connectPatiently(call.callee, kinds[1], { at: gateways[2] })
  back.send(back.joinMessage())
  await sending

  // No ping came in so short a time, so the new connection gets whatever the old one had.
  const problems = await missing(setting, back, sent)
  await close(caller, back)
  return { messages: sent.length, problems }
}

/** One leaves in the very moment in which the other joins; what it said before is still delivered. */
const leftDuringAJoin: Scenario = async (setting) => {
  const [caller, callee] = await connectBoth(setting)
  await caller.join()
  const sent = names('caller', 1)

  await Promise.all([
    soon(setting, () => {
      caller.candidate(sent[0] ?? '')
      caller.leave()
    }),
    soon(setting, () => callee.send(callee.joinMessage())),
  ])

  const problems = [...(await missing(setting, callee, sent)), ...(await wrongView(setting, callee, 1))]
  await close(caller, callee)
  return { messages: sent.length, problems }
}

const SCENARIOS: [[string, Scenario], ...[string, Scenario][]] = [
  ['both join and send at once', bothAtOnce],
  ['sent into a join', sentIntoAJoin],
  ['left during a join', leftDuringAJoin],
  ['sent by one who is lost', sentByOneWhoIsLost],
  ['sent into a reconnect', sentIntoAReconnect],
  ['sent into a rejoin', sentIntoARejoin],
]

async function connectBoth({ call, gateways, kinds }: Setting): Promise<[Peer, Peer]> {
  return Promise.all([
    connectPatiently(call.caller, kinds[0], { at: gateways[0] }),
    connectPatiently(call.callee, kinds[1], { at: gateways[1] }),
  ])
}

/** As any client: a node that says 503, because its line to Redis is slower than its patience, is asked again. */
async function connectPatiently(party: Party, kind: PeerKind, options: ConnectOptions): Promise<Peer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await party.connect(kind, options)
    } catch (error) {
      const isTemporary = error instanceof Refused && error.code === 'SERVICE_UNAVAILABLE'
      if (!isTemporary || attempt === CONNECT_ATTEMPTS) throw error
    }
  }
}

/** At a random moment of the trial's window. */
function soon<T>({ random }: Setting, act: () => T | Promise<T>, windowMs: number = WINDOW_MS): Promise<T> {
  const delayMs = random() * windowMs
  return new Promise((resolve, reject) => {
    setTimeout(() => Promise.resolve().then(act).then(resolve, reject), delayMs)
  })
}

const names = (side: string, count: number) => Array.from({ length: count }, (_, index) => `${side} ${index}`)
const candidatesOf = (peer: Peer) => peer.all('candidate').map(({ candidate }) => candidate)

/** Waits for the candidates, then says what is wrong with what came: lost, doubled, out of order. */
async function missing(
  { deadlineMs }: Setting,
  to: Peer,
  expected: string[],
  order: 'in order' | 'any order' = 'in order',
): Promise<string[]> {
  const problems: string[] = []
  await eventually(() => {
    const got = new Set(candidatesOf(to))
    const lost = expected.filter((name) => !got.has(name))
    if (lost.length > 0) throw new Error(`lost ${lost.join(', ')}`)
  }, deadlineMs).catch((error: Error) => problems.push(error.message))
  const got = candidatesOf(to)
  if (new Set(got).size !== got.length) problems.push(`doubled: ${got.join(', ')}`)
  const sorted = order === 'in order' ? expected.filter((name) => got.includes(name)) : got
  if (got.join() !== sorted.join()) problems.push(`out of order: ${got.join(', ')}`)
  for (const { error } of to.all('error')) problems.push(`error ${error.code}`)
  return problems
}

/** Waits until the last word that a peer heard on who is here is true. */
async function wrongView({ deadlineMs }: Setting, peer: Peer, there: number): Promise<string[]> {
  try {
    await eventually(() => {
      const last = peer.received.findLast(({ type }) => type === 'user-joined' || type === 'user-left')
      const seen = last !== undefined && 'participants' in last ? last.participants.length : 0
      if (seen !== there) throw new Error(`sees ${seen} in the room where ${there} are`)
    }, deadlineMs)
    return []
  } catch (error) {
    return [(error as Error).message]
  }
}

async function close(...peers: Peer[]): Promise<void> {
  await Promise.all(peers.map((peer) => peer.close()))
}
