// One call from the press of the button to connected media, with the moment of each step, by one clock for both sides.
import type { Call } from '../../client/call.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { Party, type PartyOptions, type TestConnection, untilPhase } from '../../test/client/party.ts'

/** What happens, in the order in which it does on a calm machine. */
export const STEPS = {
  initiated: 'initiate is answered',
  rings: 'the callee rings',
  answered: 'the answer is taken',
  joined: 'both are in the room',
  offered: 'the callee has the offer',
  agreed: 'the caller has the answer',
  connected: 'both sides are connected',
} as const

export type Step = keyof typeof STEPS
/** Milliseconds since the press of the button. */
export type Times = Record<Step, number>

/** A call that takes longer is counted as one that failed. */
const CONNECT_DEADLINE_MS = 10_000

/** Two users who wait on their user channels; then one calls the other, who answers in the moment in which it rings. */
export async function timeCall(
  cluster: Cluster,
  at: [PartyOptions['gateway'], PartyOptions['gateway']],
): Promise<Times> {
  const times: Partial<Times> = {}
  let startedAt = 0
  const note = (step: Step) => {
    times[step] ??= performance.now() - startedAt
  }
  const onPeerConnection: PartyOptions['onPeerConnection'] = (connection, { direction }) => {
    const describe = connection.setRemoteDescription.bind(connection)
    connection.setRemoteDescription = async (description) => {
      await describe(description)
      note(description.type === 'offer' ? 'offered' : 'agreed')
    }
    if (direction === 'outgoing') (connection as TestConnection).openChannel()
  }
  const [alice, bob] = await Promise.all([
    Party.online(cluster, { gateway: at[0], stack: 'libdatachannel', onPeerConnection }),
    Party.online(cluster, { gateway: at[1], stack: 'werift', onPeerConnection }),
  ])
  try {
    const calls: Call[] = []
    const follow = (call: Call) => {
      calls.push(call)
      call.on('state', () => {
        if (calls.length === 2 && calls.every(({ state }) => state.peerPresent)) note('joined')
        if (calls.length === 2 && calls.every(({ state }) => state.phase === 'active')) note('connected')
      })
    }
    const ringing = new Promise<Call>((resolve) => bob.client.once('incoming', resolve))
    const answering = ringing.then(async (call) => {
      note('rings')
      follow(call)
      await call.answer()
      note('answered')
    })
    startedAt = performance.now()
    const outgoing = await alice.client.call(bob.id)
    note('initiated')
    follow(outgoing)
    await answering
    await Promise.all(calls.map((call) => untilPhase(call, 'active', CONNECT_DEADLINE_MS)))
    await outgoing.hangUp()
    return complete(times)
  } finally {
    await Promise.all([alice.close(), bob.close()])
  }
}

function complete(times: Partial<Times>): Times {
  const missing = (Object.keys(STEPS) as Step[]).filter((step) => times[step] === undefined)
  if (missing.length > 0) throw new Error(`A call was connected without "${missing.join('", "')}"`)
  return times as Times
}
