// The measurements of a run, in their order: blocks of cells under load, then connections, round after round.
import { inventCalls, makeCalls, place } from './calls.ts'
import { type ConnectResult, measureConnects, measureMemory } from './connections.ts'
import { Load } from './load/load.ts'
import { awaitCalm, readMachineCpuUs } from './measure/disturbance.ts'
import { sumCpuUs } from './measure/process-cpu.ts'
import { type Server, type ServerKind, type Stage, stopAll } from './servers.ts'
import { type Cell, cellName, SYSTEMS, type SystemKey } from './systems.ts'

export interface Settings {
  rounds: number
  pairs: number
  blocks: Cell[][]
  /** Milliseconds of each window; a rate without one is left out. */
  warmUpMs: number
  rates: { perSecond: number; ms: number }[]
  saturationMs: number
  /** What is connected for memory and for the cost of a connect; 0 leaves both out. */
  idleConnections: number
  connectMs: number
  /** Before each cell, the longest wait for a machine that does nothing else; and all such waits together. */
  calmMs: { each: number; all: number }
}

/** One window under load. CPU is of what relays: the servers and their Redis. */
export interface Measured {
  perSecond: number
  p50: number
  p99: number
  serverUs: number
  redisUs: number
  generatorUs: number
  /** Cores that processes used which have nothing to do with the run. */
  othersCores: number
  /** CPU of our API, worker and Postgres meanwhile, in ms a second; they relay nothing. */
  backgroundMs: number
}

export interface CellResult {
  /** By messages a second, `saturation` for as many as go through. */
  windows: Map<number | 'saturation', Measured>
  lost: number
  duplicated: number
  reordered: number
  unacknowledged: number
  refused: number
  errors: number
}

export interface Results {
  cells: Map<string, CellResult[]>
  memory: Map<SystemKey, number[]>
  connects: Map<SystemKey, ConnectResult[]>
}

const CONNECTION_SYSTEMS: SystemKey[] = ['ours-raw', 'bare-ws', 'ours-socketio', 'socketio']

export class Bench {
  readonly results: Results = { cells: new Map(), memory: new Map(), connects: new Map() }
  readonly #stage: Stage
  readonly #settings: Settings
  readonly #say: (line: string) => void
  readonly #signal: AbortSignal
  #waitedMs = 0

  constructor(stage: Stage, settings: Settings, run: { say: (line: string) => void; signal: AbortSignal }) {
    this.#stage = stage
    this.#settings = settings
    this.#say = run.say
    this.#signal = run.signal
  }

  /** Runs everything. Stops between two measurements once the signal says so. */
  async run(): Promise<void> {
    for (let round = 1; round <= this.#settings.rounds; round++) {
      for (const block of this.#settings.blocks) await this.#runBlock(block, round)
      if (this.#settings.idleConnections > 0)
        for (const system of turned(CONNECTION_SYSTEMS, round)) await this.#runConnections(system, round)
    }
  }

  /** Starts what a block needs, all at once and for all its cells: a cell then differs from the next by nothing else. */
  async #runBlock(block: Cell[], round: number): Promise<void> {
    const fleets = new Map<ServerKind, Server[]>()
    try {
      for (const { system, nodes } of block) {
        const { server } = SYSTEMS[system]
        if (!fleets.has(server)) fleets.set(server, await this.#stage.start(server, nodes))
      }
      for (const cell of turned(block, round)) {
        await this.#calm()
        this.#signal.throwIfAborted()
        const result = await this.#runCell(cell, fleets.get(SYSTEMS[cell.system].server) ?? [], round)
        push(this.results.cells, cellName(cell), result)
        this.#say(`round ${round} ${cellName(cell).padEnd(26)} ${summary(result)}`)
      }
    } finally {
      await stopAll([...fleets.values()].flat())
    }
  }

  async #calm(): Promise<void> {
    const { each, all } = this.#settings.calmMs
    this.#waitedMs += await awaitCalm(Math.min(each, all - this.#waitedMs))
  }

  async #runCell(cell: Cell, servers: Server[], round: number): Promise<CellResult> {
    const { rates, saturationMs, warmUpMs, pairs } = this.#settings
    const { dialect, server } = SYSTEMS[cell.system]
    const calls = server === 'gateway' ? await makeCalls(this.#stage.cluster, pairs) : inventCalls(pairs)
    const ports = servers.map(({ port }) => port)
    // Every system of a round has its calls placed alike.
    const load = await Load.connect(dialect, place(calls, ports, cell.placement, round))
    try {
      const windows: CellResult['windows'] = new Map()
      await load.closed(warmUpMs, () => {})
      for (const { perSecond, ms } of rates)
        windows.set(perSecond, await this.#measure(servers, (look) => load.open(perSecond, ms, round, look)))
      windows.set('saturation', await this.#measure(servers, (look) => load.closed(saturationMs, look)))
      await load.close()
      const { lost, duplicated, reordered, unacknowledged, refused, errors } = load.counts
      if (load.firstError !== undefined) this.#say(`  ${cellName(cell)}: ${load.firstError.slice(0, 200)}`)
      return {
        windows,
        lost,
        duplicated,
        reordered,
        unacknowledged: server === 'gateway' ? unacknowledged : 0,
        refused,
        errors,
      }
    } finally {
      load.destroy()
    }
  }

  async #measure(
    servers: Server[],
    work: (look: (edge: 'begin' | 'end') => void) => ReturnType<Load['closed']>,
  ): Promise<Measured> {
    const redis = this.#stage.redisPid(servers[0]?.kind ?? 'bare-ws')
    const background = this.#stage.backgroundPids()
    const read = () => ({
      at: performance.now(),
      machine: readMachineCpuUs(),
      servers: sumCpuUs(servers.map(({ pid }) => pid)),
      redis: redis === undefined ? 0 : sumCpuUs([redis]),
      background: sumCpuUs(background),
      own: process.cpuUsage(),
    })
    let begin = read()
    let end = begin
    const { seconds, delivered, p50, p99 } = await work((edge) => {
      if (edge === 'begin') begin = read()
      else end = read()
    })
    const used = (what: 'servers' | 'redis' | 'background' | 'machine') => end[what] - begin[what]
    const lookUs = (end.at - begin.at) * 1000
    const ownUs = end.own.user + end.own.system - begin.own.user - begin.own.system
    return {
      perSecond: delivered / seconds,
      p50,
      p99,
      serverUs: used('servers') / delivered,
      redisUs: used('redis') / delivered,
      generatorUs: ownUs / delivered,
      othersCores: (used('machine') - used('servers') - used('redis') - used('background') - ownUs) / lookUs,
      backgroundMs: (used('background') * 1000) / lookUs,
    }
  }

  async #runConnections(system: SystemKey, round: number): Promise<void> {
    await this.#calm()
    this.#signal.throwIfAborted()
    const { idleConnections, connectMs } = this.#settings
    const { server, dialect } = SYSTEMS[system]
    const ours = server === 'gateway'
    const invent = (count: number) =>
      ours ? makeCalls(this.#stage.cluster, count) : Promise.resolve(inventCalls(count))
    const calls = await invent(idleConnections / 2)
    const servers = await this.#stage.start(server, 1)
    try {
      const [node] = servers
      if (node === undefined) return
      const parties = place(calls, [node.port], 'affine', round)
      const kib = await measureMemory(node.pid, dialect, parties)
      push(this.results.memory, system, kib)
      const fresh = place(await invent(this.#settings.pairs), [node.port], 'affine', round)
      const stores = ours ? this.#stage.storePids() : { redis: [], postgres: [] }
      const connects = await measureConnects({ ms: connectMs, dialect, parties: fresh.flat(), pid: node.pid, stores })
      push(this.results.connects, system, connects)
      const cost = connects.serverUs + connects.redisUs + connects.postgresUs
      this.#say(
        `round ${round} ${system.padEnd(26)} ${kib.toFixed(1)} KiB/connection, connect ${cost.toFixed(0)} µs, ${connects.perSecond.toFixed(0)}/s`,
      )
    } finally {
      await stopAll(servers)
    }
  }
}

/** The same order and its reverse, in turns: what drifts during a round falls on everybody alike. */
function turned<T>(items: T[], round: number): T[] {
  return round % 2 === 1 ? items : items.toReversed()
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}

function summary(result: CellResult): string {
  const parts = [...result.windows].map(([rate, one]) => {
    const cost = `${(one.serverUs + one.redisUs).toFixed(1)} µs`
    if (rate === 'saturation') return `saturation ${one.perSecond.toFixed(0)}/s ${cost}`
    return `${rate}/s ${cost} p50 ${one.p50.toFixed(2)} p99 ${one.p99.toFixed(1)} (generator ${one.generatorUs.toFixed(0)} µs, others ${one.othersCores.toFixed(2)} cores)`
  })
  const { lost, duplicated, reordered, unacknowledged, refused, errors } = result
  return `${parts.join(' | ')} | lost ${lost} dup ${duplicated} reord ${reordered} unacked ${unacknowledged} refused ${refused} errors ${errors}`
}
