// What a connection costs: to hold, and to make and end.
import { Connection } from './load/connection.ts'
import type { Dialect, Party } from './load/dialects.ts'
import { createState, type Pair } from './load/load.ts'
import { sleep } from './load/waiting.ts'
import { sumCpuUs } from './measure/process-cpu.ts'
import { readSettledRssKib } from './measure/settled-memory.ts'

/** The first connections of a process load and compile code; they come and go before anything is counted. */
const FIRST_CALLS = 100
const AT_ONCE = 48
/** For timers and late work of a handshake. */
const SETTLE_MS = 1_000

/** KiB of resident memory for each connection that has joined its room and is idle. */
export async function measureMemory(pid: number, dialect: Dialect, calls: Pair[]): Promise<number> {
  const first = await connectAll(dialect, calls.slice(0, FIRST_CALLS).flat())
  await endAll(first)
  const empty = await readSettledRssKib(pid)
  const parties = calls.flat()
  const connections = await connectAll(dialect, parties)
  const full = await readSettledRssKib(pid)
  await endAll(connections)
  return (full - empty) / parties.length
}

async function connectAll(dialect: Dialect, parties: Party[]): Promise<Connection[]> {
  const state = createState(dialect)
  const connections: Connection[] = []
  for (let at = 0; at < parties.length; at += AT_ONCE) {
    const batch = parties.slice(at, at + AT_ONCE).map((party) => new Connection(party, state))
    connections.push(...batch)
    await Promise.all(batch.map((connection) => connection.reached('joined')))
  }
  return connections
}

async function endAll(connections: Connection[]): Promise<void> {
  for (const connection of connections) connection.close()
  await Promise.race([Promise.all(connections.map((one) => one.reached('closed'))), sleep(SETTLE_MS * 5)])
  for (const connection of connections) connection.destroy()
}

/** CPU of a handshake and its end, for each process that has a part in it, in µs; and how many a second there were. */
export interface ConnectResult {
  perSecond: number
  serverUs: number
  redisUs: number
  postgresUs: number
}

/** Connects, is let in, says goodbye, again and again, {@link AT_ONCE} at once. */
export async function measureConnects(options: {
  ms: number
  dialect: Dialect
  parties: Party[]
  pid: number
  stores: { redis: number[]; postgres: number[] }
}): Promise<ConnectResult> {
  const { ms, dialect, parties, pid, stores } = options
  const state = createState(dialect, false)
  let next = 0
  const one = async () => {
    const party = parties[next++ % parties.length]
    if (party === undefined) return
    const connection = new Connection(party, state)
    await connection.reached('open')
    connection.close()
    await connection.reached('closed')
  }
  const rush = async (durationMs: number) => {
    const endAt = performance.now() + durationMs
    let done = 0
    const worker = async () => {
      while (performance.now() < endAt) {
        await one()
        done += 1
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    return done
  }
  await rush(ms / 2)
  await sleep(SETTLE_MS)
  const read = () => [sumCpuUs([pid]), sumCpuUs(stores.redis), sumCpuUs(stores.postgres)] as const
  const begin = read()
  const startAt = performance.now()
  const done = await rush(ms)
  const seconds = (performance.now() - startAt) / 1000
  // What an end leaves to be done (a connection is counted out after its close) belongs to it.
  await sleep(SETTLE_MS / 4)
  const end = read()
  const [serverUs = 0, redisUs = 0, postgresUs = 0] = end.map((us, index) => (us - (begin[index] ?? 0)) / done)
  return { perSecond: done / seconds, serverUs, redisUs, postgresUs }
}
