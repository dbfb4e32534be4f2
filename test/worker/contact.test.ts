import { expect } from 'chai'
import { Contact } from '../../worker/contact.ts'

const LEASE_MS = 8000

/** A clock that a test moves, and stores that it takes away. */
class Scene {
  nowMs = 1_000_000
  postgresAway = false
  redisAway = false
  wiped = true
  readonly contact = new Contact(
    {
      postgres: async () => {
        if (this.postgresAway) throw new Error('postgres is away')
      },
      redis: async () => {
        if (this.redisAway) throw new Error('redis is away')
        const kept = !this.wiped
        this.wiped = false
        return kept
      },
    },
    LEASE_MS,
    () => this.nowMs,
  )

  /** Half-second probes for as long. */
  async pass(ms: number): Promise<void> {
    for (const end = this.nowMs + ms; this.nowMs < end; ) {
      this.nowMs += 500
      await this.contact.probe()
    }
  }
}

describe('Contact', () => {
  it('may judge after a whole lease of contact, and not a moment before', async () => {
    const scene = new Scene()
    expect(scene.contact.isUnbroken).to.equal(false)
    await scene.contact.probe()
    await scene.pass(LEASE_MS - 500)

    scene.nowMs += 499
    expect(scene.contact.isUnbroken).to.equal(false)
    scene.nowMs += 1
    expect(scene.contact.isUnbroken).to.equal(true)
  })

  for (const gap of ['postgresAway', 'redisAway', 'wiped'] as const)
    it(`counts anew after a gap: ${gap}`, async () => {
      const scene = new Scene()
      await scene.pass(LEASE_MS + 1000)
      expect(scene.contact.isUnbroken).to.equal(true)

      scene[gap] = true
      await scene.contact.probe()
      scene[gap] = false
      expect(scene.contact.isUnbroken).to.equal(false)
      await scene.pass(LEASE_MS - 500)
      expect(scene.contact.isUnbroken).to.equal(false)
      await scene.pass(1000)
      expect(scene.contact.isUnbroken).to.equal(true)
    })

  it('lends no view of rooms that were wiped just before, or while, it looked', async () => {
    const scene = new Scene()
    await scene.pass(LEASE_MS + 1000)
    const rooms = scene.contact.guard({ look: async () => new Map([['call', { isOccupied: false, joined: 0 }]]) })
    expect((await rooms.look(['call'], null)).get('call')?.isOccupied).to.equal(false)

    scene.wiped = true
    const refused = await rooms.look(['call'], null).catch((error: Error) => error)
    expect(refused).to.be.an.instanceOf(Error)
  })

  it('takes its own silence for a gap: a stopped process has seen nothing', async () => {
    const scene = new Scene()
    await scene.pass(LEASE_MS + 1000)

    scene.nowMs += LEASE_MS / 2 + 1
    expect(scene.contact.isUnbroken).to.equal(false)
    await scene.contact.probe()
    expect(scene.contact.isUnbroken).to.equal(false)
    await scene.pass(LEASE_MS)
    expect(scene.contact.isUnbroken).to.equal(true)
  })
})
