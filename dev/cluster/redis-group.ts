// A Redis that fails over on one machine: a primary, its replicas, and sentinels that promote one of them.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis as RedisClient } from 'ioredis'
import { findFreePort } from './ports.ts'
import { type Redis, startRedis } from './redis.ts'
import { makeRunDir } from './run-dir.ts'
import { SupervisedProcess } from './supervised-process.ts'
import { findTool, REDIS } from './tools.ts'
import { waitUntil } from './wait-until.ts'

const START_DEADLINE_MS = 20_000
const STOP_DEADLINE_MS = 5_000
const NAME = 'calling'
const FAILOVER_TIMEOUT_MS = 10_000
/** After so long sentinels lead a replica that follows an address which is not the primary's back to the primary. */
const DETOUR_TIMEOUT_MS = 120_000
/** What is copied must not touch a disk, and need not wait for other replicas to ask. */
const COPY = { 'repl-diskless-load': 'swapdb', 'repl-diskless-sync-delay': 0 }

export interface RedisGroup {
  /** The product's configuration for it. */
  readonly env: { REDIS_SENTINELS: string; REDIS_SENTINEL_NAME: string }
  /** The server that the sentinels call primary now. */
  primary(): Promise<Redis>
  /** All servers, the first primary in front. */
  readonly servers: readonly Redis[]
  stop(): Promise<void>
}

export interface RedisGroupOptions {
  /** How long a server is silent before its sentinels call it down, ms. Redis' own default is 30 s. */
  downAfterMs?: number
  /** Where replicas find the primary of this port; a test may put something in between. */
  way?: (port: number) => Promise<number>
}

/** Starts a primary, two replicas and three sentinels; returns once they know each other. Nothing restarts what dies. */
export async function startRedisGroup({ downAfterMs = 1000, way }: RedisGroupOptions = {}): Promise<RedisGroup> {
  const tool = await findTool(REDIS)
  const runDir = await makeRunDir(undefined)
  const home = { runDir: runDir.path, restart: false }
  const servers: Redis[] = []
  const sentinels: { port: number; process: SupervisedProcess }[] = []
  const stop = async () => {
    for (const { process } of sentinels) await process.stop(STOP_DEADLINE_MS)
    for (const { process } of sentinels) await process.close()
    for (const server of servers) await server.stop()
    runDir.leave()
  }
  try {
    const first = await startRedis({ ...home, name: 'redis-1', settings: COPY })
    servers.push(first)
    const followed = (await way?.(first.port)) ?? first.port
    for (const name of ['redis-2', 'redis-3'])
      servers.push(await startRedis({ ...home, name, settings: { ...COPY, replicaof: `127.0.0.1 ${followed}` } }))
    for (const name of ['sentinel-1', 'sentinel-2', 'sentinel-3']) {
      const port = await findFreePort()
      // Sentinels write what they learn into their own file.
      const file = join(runDir.path, `${name}.conf`)
      const patienceMs = way === undefined ? FAILOVER_TIMEOUT_MS : DETOUR_TIMEOUT_MS
      writeFileSync(file, sentinelFile(port, first.port, { downAfterMs, patienceMs, folder: runDir.path }))
      const args = [file, '--sentinel']
      const supervised = new SupervisedProcess(
        { name, command: tool.path, args, env: { ...process.env, ...tool.env } },
        home,
      )
      supervised.start()
      sentinels.push({ port, process: supervised })
    }
    const group: RedisGroup = {
      env: {
        REDIS_SENTINELS: sentinels.map(({ port }) => `127.0.0.1:${port}`).join(','),
        REDIS_SENTINEL_NAME: NAME,
      },
      servers,
      primary: async () => {
        const port = await primaryPort(sentinels.map((sentinel) => sentinel.port))
        const server = servers.find((candidate) => candidate.port === port)
        if (!server) throw new Error(`The sentinels name port ${port}, where none of ours is`)
        return server
      },
      stop,
    }
    await waitUntil('the sentinels did not find each other', START_DEADLINE_MS, () => untilKnown(sentinels))
    return group
  } catch (error) {
    await stop()
    throw error
  }
}

function sentinelFile(
  port: number,
  primary: number,
  { downAfterMs, patienceMs, folder }: { downAfterMs: number; patienceMs: number; folder: string },
): string {
  return [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${folder}`,
    `sentinel monitor ${NAME} 127.0.0.1 ${primary} 2`,
    `sentinel down-after-milliseconds ${NAME} ${downAfterMs}`,
    `sentinel failover-timeout ${NAME} ${patienceMs}`,
    `sentinel parallel-syncs ${NAME} 2`,
    '',
  ].join('\n')
}

async function primaryPort(sentinels: number[]): Promise<number> {
  const [port] = sentinels
  const [, found] = (await ask(port ?? 0, 'get-master-addr-by-name')) as [string, string]
  return Number(found)
}

/** Each knows the two others, and both replicas, and that these are in step. */
async function untilKnown(sentinels: { port: number }[]): Promise<void> {
  for (const { port } of sentinels) {
    const facts = (await ask(port, 'master')) as string[]
    const of = (name: string) => facts[facts.indexOf(name) + 1]
    if (of('num-other-sentinels') !== '2') throw new Error(`${of('num-other-sentinels')} other sentinels`)
    if (of('num-slaves') !== '2') throw new Error(`${of('num-slaves')} replicas`)
    const replicas = (await ask(port, 'replicas')) as string[][]
    const linked = replicas.filter((replica) => replica[replica.indexOf('master-link-status') + 1] === 'ok')
    if (linked.length !== 2) throw new Error(`${linked.length} replicas are in step`)
  }
}

async function ask(port: number, question: string): Promise<unknown> {
  const client = new RedisClient(port, '127.0.0.1', { retryStrategy: () => null, maxRetriesPerRequest: 0 })
  client.on('error', () => {
    // The question that fails of it tells.
  })
  try {
    return await client.call('SENTINEL', question, NAME)
  } finally {
    client.disconnect()
  }
}
