// What REST answers take at fixed rates, through the edge.
import { failuresOf, type HttpCall, HttpLoad } from '../load/http-load.ts'
import { beginShares } from '../measure/process-shares.ts'
import type { Trial } from './trial.ts'
import { newUsers, type User } from './users.ts'

/** Rates of the targets; requests of a second. */
const INITIATES = 100
const PRESENCE = 500

export const REST_RATES: Trial = {
  name: 'rest-rates',
  title: 'REST at fixed rates',
  about: [
    'Requests through the edge to one API, each at its random moment, whether or not earlier ones were answered.',
    'Initiates are of users who never called before; each call is ended once it is made, which is load that is not counted in the figure.',
    'Presence is a third each of updates, status and availability, over a thousand users.',
  ],
  deadlineSeconds: { smoke: 60, short: 90, full: 240 },

  async run(stage) {
    const cluster = await stage.cluster({ gateways: 2 })
    const http = new HttpLoad(cluster.url)
    const ms = stage.pick({ smoke: 1_000, short: 6_000, full: 40_000 })
    const factor = stage.profile === 'smoke' ? 0.2 : 1
    try {
      const initiates = initiator(newUsers(cluster, Math.ceil((ms / 1000 + 6) * INITIATES * factor * 2.5)))
      const ends: Promise<unknown>[] = []
      const endIt = (call: HttpCall, { text, status }: { text: string; status: number }) => {
        if (status !== 201) return
        const { call_id: id } = JSON.parse(text) as { call_id: string }
        ends.push(http.ask({ method: 'DELETE', path: `/calls/${id}`, token: call.token }))
      }
      const warmMs = stage.pick({ smoke: 300, short: 2_000, full: 5_000 })
      await http.open({ ratePerSecond: INITIATES * factor, ms: warmMs, seed: 1 }, initiates, endIt)
      stage.say(`  ${INITIATES} initiates a second for ${ms / 1000} s`)
      const look = beginShares(cluster)
      const initiated = await http.open({ ratePerSecond: INITIATES * factor, ms, seed: 2 }, initiates, endIt)
      const initiateShares = look().shares
      await Promise.all(ends)
      const presence = presenceAsker(newUsers(cluster, 1000))
      await http.open({ ratePerSecond: PRESENCE * factor, ms: warmMs, seed: 3 }, presence)
      stage.say(`  ${PRESENCE} presence requests a second for ${ms / 1000} s`)
      const lookAgain = beginShares(cluster)
      const seen = await http.open({ ratePerSecond: PRESENCE * factor, ms, seed: 4 }, presence)
      const presenceShares = lookAgain().shares
      return {
        figures: [
          { what: `initiate at ${INITIATES}/s: p50`, value: initiated.p50, unit: ' ms' },
          { what: `initiate at ${INITIATES}/s: p99`, value: initiated.p99, unit: ' ms', limit: 50 },
          { what: 'initiates refused or failed', value: failuresOf(initiated), unit: '', limit: 0, digits: 0 },
          { what: `presence at ${PRESENCE}/s: p50`, value: seen.p50, unit: ' ms' },
          { what: `presence at ${PRESENCE}/s: p99`, value: seen.p99, unit: ' ms', limit: 20 },
          { what: 'presence requests refused or failed', value: failuresOf(seen), unit: '', limit: 0, digits: 0 },
        ],
        shares: [
          ...initiateShares.map((share) => ({ ...share, during: 'initiates' })),
          ...presenceShares.map((share) => ({ ...share, during: 'presence' })),
        ],
      }
    } finally {
      http.close()
    }
  },
}

/** Each request calls somebody new. */
function initiator(users: User[]): () => HttpCall {
  let at = 0
  return () => {
    const [caller, callee] = [users[at % users.length], users[(at + 1) % users.length]]
    at += 2
    const body = { caller_id: caller?.id, callee_id: callee?.id, call_type: 'voice' }
    return { method: 'POST', path: '/calls/initiate', token: caller?.token ?? '', body }
  }
}

function presenceAsker(users: User[]): () => HttpCall {
  let at = 0
  return () => {
    at += 1
    const [me, other] = [users[at % users.length], users[(at * 7 + 3) % users.length]]
    const token = me?.token ?? ''
    if (at % 3 === 0) return { method: 'PUT', path: '/presence/status', token, body: { status: 'online' } }
    return { method: 'GET', path: `/presence/${at % 3 === 1 ? 'status' : 'check'}/${other?.id}`, token }
  }
}
