/** `last_seen`: written when a connection begins and ends, and never moved backwards, whoever is asked. */
import { expect } from 'chai'
import { Redis } from 'ioredis'
import { createDatabase, type Database } from '../../core/platform/postgres.ts'
import { roomKeys } from '../../core/protocol/keys.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { createUser, type TestUser } from '../support/api-client.ts'
import { openChannel } from '../support/calls.ts'
import { privateCluster, sharedCluster } from '../support/clusters.ts'
import { PEER_KINDS } from '../support/connect-peer.ts'
import { eventually } from '../support/eventually.ts'

/** Clocks of this process, the database and the services are one here; roundings are not. */
const ROUNDING_MS = 5

describe('last_seen', () => {
  let cluster: Cluster
  let db: Database
  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
    db = createDatabase({ url: cluster.env.DATABASE_URL ?? '', poolMax: 1, timeoutMs: 5000 }, 'test')
  })
  after(() => db.destroy())
  const user = (api = 0): TestUser => createUser(cluster.api(api).url, cluster.jwtSecret)
  const seenAt = async (viewer: TestUser, userId: string) => {
    const { last_seen: text } = (await viewer.api.presence(userId)).body
    return text === null ? null : Date.parse(text)
  }
  /** Resolves when this gateway has written what it has seen until now; the API, asked, would write by itself. */
  const written = async (at: number) => {
    const later = user()
    const channel = await openChannel(cluster, later, 'raw', { at })
    await channel.close()
    await eventually(async () => expect(await db('user_presence').where({ user_id: later.id })).to.have.length(1))
  }

  for (const kind of PEER_KINDS) {
    it(`is the end of a first visit over ${kind}, and then that of the next`, async () => {
      const [viewer, visitor] = [user(0), user(1)]
      let last = 0
      for (const at of [0, 1]) {
        const before = Date.now()
        const channel = await openChannel(cluster, visitor, kind, { at })
        await channel.close()
        const after = Date.now()

        await eventually(async () => expect(await seenAt(viewer, visitor.id)).to.be.at.least(before - ROUNDING_MS))
        await written(at)
        const seen = (await seenAt(viewer, visitor.id)) ?? 0
        expect(seen).to.be.above(last)
        // The gateway may learn of the end a moment after its client.
        expect(seen).to.be.within(before - ROUNDING_MS, after + 5000)
        last = seen
      }
    })
  }

  it('never moves backwards, whichever API is asked, while its user comes and goes', async () => {
    const viewers = [user(0), user(1)]
    const visitor = user()
    const shown: number[] = []
    const look = async () => {
      for (const viewer of viewers) {
        const seen = await seenAt(viewer, visitor.id)
        if (seen !== null) shown.push(seen)
      }
    }
    for (const at of [0, 1, 0]) {
      const channel = await openChannel(cluster, visitor, 'raw', { at })
      await look()
      await look()
      await channel.close()
      await look()
      await eventually(async () => {
        await look()
        expect((await viewers[0]?.api.presence(visitor.id))?.body.status).to.equal('offline')
      })
      await written(at)
      await look()
    }

    expect(shown.length).to.be.above(10)
    expect(shown).to.deep.equal([...shown].sort((one, other) => one - other))
  })

  it('does not tell that a user who has set offline comes and goes', async () => {
    const [viewer, hidden] = [user(0), user(1)]
    const channel = await openChannel(cluster, hidden, 'raw', { at: 0 })
    const { updated_at: setAt } = (await hidden.api.setPresence({ status: 'offline' })).body
    await channel.close()
    const again = await openChannel(cluster, hidden, 'raw', { at: 0 })
    await again.close()
    await written(0)

    expect(await seenAt(viewer, hidden.id)).to.equal(Date.parse(setAt))
  })

  it('is the last beat of a gateway that was killed', async function () {
    this.timeout(90_000)
    const env = { NODE_BEAT_SECONDS: '0.5', NODE_LEASE_SECONDS: '3' }
    const own = await privateCluster({ gateways: 1, apis: 1, workers: 1, edge: false, env })
    const redis = new Redis(own.description.redis.port, '127.0.0.1')
    try {
      const [viewer, visitor] = [createUser(own.api(0).url, own.jwtSecret), createUser(own.api(0).url, own.jwtSecret)]
      const connectedAt = Date.now()
      const channel = await openChannel(own, visitor, 'raw', { at: 0 })
      const { nodes } = roomKeys(own.env.REDIS_KEY_PREFIX ?? 'tchat:')
      const lastBeat = async () =>
        Math.max(...(await redis.zrange(nodes, '0', '-1', 'WITHSCORES')).map(Number).filter(Boolean))
      // Long after the connection's begin was written, and long before all connected users are written again.
      await eventually(async () => expect(await lastBeat()).to.be.above(connectedAt + 1500), 10_000)
      const aliveAt = await lastBeat()
      await own.kill('gateway-1', 'SIGKILL')

      await eventually(async () => {
        const { status, last_seen: seen } = (await viewer.api.presence(visitor.id)).body
        expect(status).to.equal('offline')
        expect(Date.parse(seen ?? '')).to.be.at.least(aliveAt - ROUNDING_MS)
      }, 30_000)
      await channel.close().catch(() => {})
    } finally {
      redis.disconnect()
      await own.stop()
    }
  })
})
