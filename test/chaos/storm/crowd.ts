/** A process of its own with a part of the crowd, so that many sockets fit and nobody's latency is measured beside them. */
import { randomUUID } from 'node:crypto'
import { mintToken } from '../../support/tokens.ts'
import { CrowdClient, type Target } from './crowd-client.ts'

export interface CrowdOrder {
  clients: number
  targets: Target[]
  jwtSecret: string
  /** Loopback addresses that this process connects from. */
  localAddresses: string[]
}

/** What has happened so far, sent on every `report`. */
export interface CrowdReport {
  clients: number
  inNow: number
  attempts: number
  losses: number
  /** Failed attempts by what was answered. */
  failures: Record<string, number>
  /** Of those that the server answered: with advice when to come back. */
  advised: number
  refused: number
  /** For each time that a client was let in: ms since its loss, in tens of ms, and how many attempts it took. */
  tookMs: Record<number, number>
  attemptsNeeded: Record<number, number>
}

const STEP_MS = 10

let clients: CrowdClient[] = []
const report: CrowdReport = {
  clients: 0,
  inNow: 0,
  attempts: 0,
  losses: 0,
  failures: {},
  advised: 0,
  refused: 0,
  tookMs: {},
  attemptsNeeded: {},
}
const count = (counts: Record<string | number, number>, what: string | number) => {
  counts[what] = (counts[what] ?? 0) + 1
}

function prepare(order: CrowdOrder): void {
  const { targets, jwtSecret, localAddresses } = order
  clients = Array.from({ length: order.clients }, (_, index) => {
    const transport = index % 2 === 0 ? 'raw' : 'socketio'
    const localAddress = localAddresses[index % localAddresses.length] as string
    const token = mintToken(jwtSecret, { sub: randomUUID() })
    return new CrowdClient(
      { targets, localAddress, token, transport },
      {
        onIn(tookMs, attempts) {
          report.attempts += 1
          report.inNow += 1
          count(report.tookMs, Math.round(tookMs / STEP_MS) * STEP_MS)
          count(report.attemptsNeeded, attempts)
        },
        onFailure({ why, advised }) {
          report.attempts += 1
          count(report.failures, `${transport} ${why}${advised ? ', advised' : ''}`)
          if (/^\d|connect_error/.test(why)) report.refused += 1
          if (advised) report.advised += 1
        },
        onLost() {
          report.losses += 1
          report.inNow -= 1
        },
      },
    )
  })
  report.clients = clients.length
}

process.on('message', (message: { order?: CrowdOrder; start?: true; stop?: true; report?: true }) => {
  if (message.order !== undefined) prepare(message.order)
  if (message.start) for (const client of clients) client.start()
  if (message.stop) for (const client of clients) client.stop()
  process.send?.(report)
})
process.on('disconnect', () => process.exit(0))
