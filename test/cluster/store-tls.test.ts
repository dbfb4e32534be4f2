/** Postgres and Redis by TLS: whom the processes trust, and what they say of those that they do not. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { Redis as RedisClient } from 'ioredis'
import { Client } from 'pg'
import { type Certificate, makeCertificate } from '../../dev/cluster/certificates.ts'
import { findFreePort } from '../../dev/cluster/ports.ts'
import { type Postgres, startPostgres } from '../../dev/cluster/postgres.ts'
import { type Redis, startRedis } from '../../dev/cluster/redis.ts'
import { joinBoth, newCall } from '../support/calls.ts'
import { privateCluster } from '../support/clusters.ts'
import { patient } from '../support/patience.ts'

const dist = join(import.meta.dirname, '..', '..', 'dist')

describe('stores with TLS', () => {
  let folder: string
  let right: Certificate
  let foreign: Certificate
  let postgres: Postgres
  let redis: Redis
  let redisPort: number

  before(async function () {
    this.timeout(60_000)
    folder = mkdtempSync(join(tmpdir(), 'tchat-calling-tls-'))
    // For the name alone: the address is another host.
    right = await makeCertificate(join(folder, 'right'), ['DNS:localhost'])
    foreign = await makeCertificate(join(folder, 'foreign'), ['DNS:localhost'])
    redisPort = await findFreePort()
    const files = { 'tls-cert-file': right.cert, 'tls-key-file': right.key, 'tls-ca-cert-file': right.ca }
    ;[postgres, redis] = await Promise.all([
      startPostgres({ certificate: right }),
      startRedis({ settings: { 'tls-port': redisPort, 'tls-auth-clients': 'no', ...files } }),
    ])
  })

  after(async () => {
    await postgres.stop()
    await redis.stop()
    rmSync(folder, { recursive: true })
  })

  const database = (host: string, mode: string, root?: string) =>
    `${postgres.url.replace('127.0.0.1', host)}?sslmode=${mode}${root === undefined ? '' : `&sslrootcert=${root}`}`
  const redisUrl = (host: string) => `rediss://${host}:${redisPort}`

  it('carry a call between processes that check them', async () => {
    const cluster = await privateCluster({
      edge: false,
      databaseUrl: database('localhost', 'verify-full', right.ca),
      redisUrl: redisUrl('localhost'),
      env: { REDIS_CA_FILE: right.ca },
    })
    const call = await newCall(cluster)
    await call.answer()
    const { caller, callee } = await joinBoth(call, { callee: 'socketio' })
    caller.offer('over TLS')
    await callee.next((message) => message.type === 'offer')

    const client = new Client({ connectionString: postgres.url })
    await client.connect()
    const { rows } = await client.query(
      "SELECT application_name, bool_and(ssl) AS ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name LIKE 'tchat-%' GROUP BY 1",
    )
    await client.end()
    const plain = new RedisClient(redis.port, '127.0.0.1')
    const list = String(await plain.client('LIST'))
      .trim()
      .split('\n')
    plain.disconnect()
    await cluster.stop()

    expect(rows.map(({ ssl }) => ssl)).to.deep.equal(rows.map(() => true))
    expect(rows.map(({ application_name: name }) => name)).to.include.members(['tchat-api', 'tchat-gateway'])
    const ours = list.filter((line) => /name=(commands|subscriber|publisher) /.test(line))
    // Three connections more in each gateway than in an API or a worker.
    expect(ours).to.have.length(10)
    for (const line of ours) expect(line).to.include(`laddr=127.0.0.1:${redisPort} `)
  }).timeout(60_000)

  /** What a process says when it ends at once. */
  function refusalOf(role: string, env: Record<string, string>): string {
    const { status, stderr } = spawnSync(process.execPath, [join(dist, role, 'main.js')], {
      env: { PATH: process.env.PATH, JWT_SECRET: 'x'.repeat(32), LOG_LEVEL: 'fatal', METRICS_PORT: '0', ...env },
      encoding: 'utf8',
      timeout: patient(15_000),
    })
    expect(status, stderr).to.equal(1)
    return stderr.trim()
  }

  const postgresCases: [string, () => string, RegExp][] = [
    ['another authority', () => database('localhost', 'verify-full', foreign.ca), /no trusted authority/],
    ['the well-known authorities alone', () => database('localhost', 'verify-full'), /no trusted authority/],
    ['another host', () => database('127.0.0.1', 'verify-full', right.ca), /for another host/],
    ['a mode that promises little', () => database('localhost', 'require', right.ca), /must have sslmode/],
    ['a file that is not there', () => database('localhost', 'verify-full', '/nowhere.pem'), /read \(ENOENT\)/],
  ]
  for (const [why, url, said] of postgresCases)
    it(`stop the processes with a sentence where Postgres is asked for with ${why}`, () => {
      for (const role of ['migrations', 'api']) {
        const refusal = refusalOf(role, { DATABASE_URL: url(), API_PORT: '0' })
        expect(refusal, role)
          .to.match(said)
          .and.match(/DATABASE_URL/)
        expect(refusal.split('\n'), role).to.have.length(1)
      }
    }).timeout(40_000)

  it('stop the processes with a sentence where Redis is not what REDIS_CA_FILE vouches for', () => {
    const api = (env: Record<string, string>) => refusalOf('api', { API_PORT: '0', ...env })

    expect(api({ REDIS_URL: redisUrl('localhost'), REDIS_CA_FILE: foreign.ca })).to.match(
      /^Redis .*no trusted authority/,
    )
    expect(api({ REDIS_URL: redisUrl('localhost') })).to.match(/^Redis .*no trusted authority/)
    expect(api({ REDIS_URL: redisUrl('127.0.0.1'), REDIS_CA_FILE: right.ca })).to.match(/^Redis .*for another host/)
    expect(api({ REDIS_URL: redis.url, REDIS_CA_FILE: right.ca })).to.match(/^REDIS_CA_FILE needs/)
    expect(api({ REDIS_URL: redisUrl('localhost'), REDIS_CA_FILE: right.key })).to.match(/without a certificate/)
  }).timeout(40_000)
})
