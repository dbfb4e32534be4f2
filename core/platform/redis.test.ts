import { expect } from 'chai'
import pino from 'pino'
import { type Redis as RedisServer, startRedis } from '../../dev/cluster/redis.ts'
import { createRedis, type GuardedRedis, settled } from './redis.ts'

const MIB = 1024 * 1024

describe('a connection to a Redis that is frozen', () => {
  let server: RedisServer
  let redis: GuardedRedis

  before(async function () {
    this.timeout(30_000)
    server = await startRedis()
    redis = createRedis({ url: server.url }, 'commands', pino({ level: 'silent' }))
    await settled(redis, 5000)
  })
  after(async () => {
    redis.disconnect()
    await server.stop()
  })

  it('refuses commands at once when too much waits, and takes them when it answers again', async () => {
    await server.kill('SIGSTOP')
    const replies: Promise<string>[] = []
    try {
      for (let count = 0; count < 100; count++) {
        const reply = redis.set('large', 'x'.repeat(MIB))
        replies.push(reply.then(String, (error: Error) => error.message))
        // A written command becomes one that waits in the next turn at the latest.
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect(redis.stream.writableLength).to.be.within(16 * MIB, 34 * MIB)
      expect(await Promise.race(replies)).to.include('too much waits')
    } finally {
      await server.kill('SIGCONT')
    }

    const words = await Promise.all(replies)
    expect(words.filter((word) => word === 'OK').length).to.be.within(17, 60)
    expect(await redis.set('small', 'x')).to.equal('OK')
  }).timeout(20_000)
})
