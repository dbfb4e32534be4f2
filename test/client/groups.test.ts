/** The client library in a deployment of several groups. */
import { expect } from 'chai'
import { WebSocket } from 'ws'
import type { SocketConstructor } from '../../client/platform.ts'
import { createDatabase, type Database } from '../../core/platform/postgres.ts'
import { GROUPS, startTwoGroups, type TwoGroups } from '../groups/two-groups.ts'
import { eventually } from '../support/eventually.ts'
import { closeParties, connectionOf, Party, untilPhase } from './party.ts'

describe('the client library with two groups', function () {
  this.timeout(60_000)
  let groups: TwoGroups
  let db: Database
  before(async () => {
    groups = await startTwoGroups({ RATE_LIMIT_INITIATE_PER_MINUTE: '1000' })
    db = createDatabase({ url: groups.cluster.env.DATABASE_URL ?? '', poolMax: 2, timeoutMs: 5000 }, 'test')
  })
  afterEach(closeParties)
  after(async () => {
    await db?.destroy()
    await groups?.stop()
  })

  it('goes where signaling_url leads, to origins that are listed and no others', async () => {
    const plain = WebSocket as unknown as SocketConstructor
    const options = { url: groups.origins.one, origins: [groups.origins.two], WebSocket: plain }
    const [alice, bob] = [await Party.online(groups.cluster, options), await Party.online(groups.cluster, options)]
    const wary = await Party.online(groups.cluster, { ...options, origins: [] })
    const groupOfCall = async (id: string) => {
      const { rows } = await db.raw<{ rows: { call_group: string }[] }>('SELECT call_group FROM calls WHERE id = ?', [
        id,
      ])
      return rows[0]?.call_group
    }
    const seen = new Set<string | undefined>()
    for (let made = 0; seen.size < 2 && made < 40; made++) {
      const outgoing = await alice.client.call(bob.id)
      const incoming = await eventually(
        () => bob.incoming.find(({ id }) => id === outgoing.id) ?? expect.fail('no ring'),
      )
      const group = await groupOfCall(outgoing.id)
      if (!seen.has(group)) {
        await incoming.answer()
        await Promise.all([untilPhase(outgoing, 'active'), untilPhase(incoming, 'active')])
        await connectionOf(outgoing).ledger.channel.opened
      }
      seen.add(group)
      await outgoing.hangUp()
      await untilPhase(incoming, 'ended')
    }
    expect([...seen]).to.have.members([...GROUPS])

    let refused = ''
    for (let made = 0; refused === '' && made < 40; made++)
      await wary.client.call(bob.id).then(
        (call) => call.hangUp(),
        ({ code }: { code: string }) => {
          refused = code
        },
      )
    expect(refused).to.equal('ORIGIN_REFUSED')
  })
})
