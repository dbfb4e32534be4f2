/** A cluster as tests and `make up` start it: what it says of itself, how it heals, what it leaves behind. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { type Cluster, startCluster } from '../../dev/cluster/cluster.ts'
import type { ClusterDescription } from '../../dev/cluster/description.ts'
import { identify } from '../../dev/cluster/process-identity.ts'
import { eventually } from '../support/eventually.ts'

function readDescription(cluster: Cluster): ClusterDescription {
  return JSON.parse(readFileSync(join(cluster.runDir, 'cluster.json'), 'utf8')) as ClusterDescription
}

/** Each process of a description by name, down to nothing but pid and ports. */
function parts(description: ClusterDescription): Map<string, { pid: number | null; port?: number }> {
  const { edge, gateways, api, workers, redis, postgres } = description
  const members = [...gateways, ...api, ...workers]
  return new Map<string, { pid: number | null; port?: number }>([
    ...members.map((member): [string, { pid: number | null; port?: number }] => [member.name, member]),
    ['redis', redis],
    ['postgres', { pid: postgres.pid, port: Number(new URL(postgres.url).port) }],
    ['edge', edge ?? { pid: null }],
  ])
}

function pidsOf(cluster: Cluster): number[] {
  return [...parts(cluster.description).values()].map(({ pid }) => pid ?? 0)
}

describe('a cluster', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(60_000)
    cluster = await startCluster({ env: { STUN_URLS: 'none' } })
  })

  after(() => cluster.stop())

  it('describes every process in cluster.json, for its owner alone', () => {
    const described = readDescription(cluster)

    expect(described).to.deep.equal(cluster.description)
    expect([...parts(described).keys()]).to.have.members([
      'gateway-1',
      'gateway-2',
      'api-1',
      'worker-1',
      'redis',
      'postgres',
      'edge',
    ])
    for (const [name, { pid }] of parts(described)) expect(identify(pid ?? 0), name).not.to.equal(undefined)
    expect(statSync(join(cluster.runDir, 'cluster.json')).mode & 0o077).to.equal(0)
  })

  it('keeps what every process prints in a file of its own', () => {
    const logs = readdirSync(join(cluster.runDir, 'logs'))

    const names = [...parts(cluster.description).keys()]
    expect(logs).to.include.members(names.map((name) => `${name}.log`))
  })

  it('serves through the edge', async () => {
    const response = await fetch(`${cluster.url}/health`)

    expect(response.status).to.equal(200)
    await response.arrayBuffer()
  })

  for (const name of ['gateway-2', 'api-1', 'worker-1', 'edge', 'redis', 'postgres']) {
    it(`starts a killed ${name} again where it was`, async () => {
      const before = parts(cluster.description).get(name)

      await cluster.kill(name, 'SIGKILL')

      await eventually(() => {
        const now = parts(readDescription(cluster)).get(name)
        expect(now?.pid).to.be.a('number').and.not.equal(before?.pid)
        expect(now?.port).to.equal(before?.port)
      })
      for (const member of ['gateway-1', 'gateway-2', 'api-1', 'worker-1', 'edge']) await cluster.waitReady(member)
    }).timeout(40_000)
  }

  it('runs beside another one, and leaves no process and no folder when it stops', async () => {
    const other = await startCluster({ gateways: 1, edge: false, env: { STUN_URLS: 'none' } })
    const pids = pidsOf(other).filter((pid) => pid > 0)
    const ports = [other.gateway(0).port, other.api(0).port, other.description.redis.port]
    expect(ports).not.to.include.members([cluster.gateway(0).port])
    expect(pids.length).to.equal(5)

    await other.stop()

    expect(pids.filter((pid) => identify(pid) !== undefined)).to.deep.equal([])
    expect(existsSync(other.runDir)).to.equal(false)
    expect(identify(cluster.gateway(0).pid ?? 0)).not.to.equal(undefined)
  }).timeout(60_000)

  it('lends its stores to another one, which starts none of its own', async () => {
    const { postgres, redis } = cluster.description
    const guest = await startCluster({
      gateways: 1,
      edge: false,
      databaseUrl: postgres.url,
      redisUrl: redis.url,
      env: { STUN_URLS: 'none' },
    })
    const seen = guest.description

    await guest.stop()

    expect(seen.postgres).to.deep.equal({ pid: null, url: postgres.url })
    expect(seen.redis).to.deep.equal({ ...redis, pid: null })
    for (const { pid } of [postgres, redis]) expect(identify(pid ?? 0)).not.to.equal(undefined)
  }).timeout(60_000)
})

describe('startCluster', () => {
  it('stops everything again and shows the process’s own words when one cannot start', async () => {
    const started: number[] = []
    const log = (_name: string, line: string) => {
      const pid = /\bpid=(\d+), just started/.exec(line)?.[1]
      if (pid) started.push(Number(pid))
    }

    const error = await startCluster({ env: { RING_TIMEOUT_SECONDS: 'soon' }, log }).catch((reason: Error) => reason)

    expect(error).to.be.instanceOf(Error)
    expect(String(error)).to.include('RING_TIMEOUT_SECONDS')
    expect(started.length).to.equal(1)
    expect(started.filter((pid) => identify(pid) !== undefined)).to.deep.equal([])
  }).timeout(40_000)

  it('gives up when it is told to', async () => {
    const ending = new AbortController()

    const starting = startCluster({ signal: ending.signal }).catch((reason: unknown) => reason)
    ending.abort()

    expect(await starting).to.be.instanceOf(Error)
  }).timeout(40_000)
})
