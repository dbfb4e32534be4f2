import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { stopLibdatachannel } from '../../dev/demo/libdatachannel-connection.ts'
import { createUser } from '../support/api-client.ts'
import { privateCluster, sharedCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'
import { mintToken } from '../support/tokens.ts'
import { closeParties, connectionOf, Party, untilPhase } from './party.ts'

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'fulfilled',
    ({ code }: { code: string }) => code,
  )

describe('the client library', function () {
  this.timeout(60_000)
  let cluster: Cluster

  before(async () => {
    cluster = await sharedCluster()
  })
  afterEach(closeParties)
  after(() => stopLibdatachannel())

  for (const [callerStack, calleeStack] of [
    ['werift', 'libdatachannel'],
    ['libdatachannel', 'werift'],
  ] as const) {
    it(`rings, connects and hangs up between two gateways, from ${callerStack} to ${calleeStack}`, async () => {
      const alice = await Party.online(cluster, { gateway: 0, stack: callerStack })
      const bob = await Party.online(cluster, { gateway: 1, stack: calleeStack })

      const outgoing = await alice.client.call(bob.id, { video: true })
      const incoming = await bob.rung()
      expect(incoming).to.include({ id: outgoing.id, peerId: alice.id, type: 'video', direction: 'incoming' })
      await eventually(() => expect(outgoing.state).to.include({ phase: 'ringing', ringState: 'ringing' }))
      await incoming.answer()
      await Promise.all([untilPhase(outgoing, 'active'), untilPhase(incoming, 'active')])
      expect([outgoing.state.ringState, incoming.state.ringState]).to.deep.equal([undefined, undefined])

      const [a, b] = [connectionOf(outgoing).ledger.channel, connectionOf(incoming).ledger.channel]
      await Promise.all([a.opened, b.opened])
      a.send('hello from the caller')
      b.send('hello from the callee')
      expect(await Promise.all([b.firstMessage, a.firstMessage])).to.deep.equal([
        'hello from the caller',
        'hello from the callee',
      ])
      // What both report of their peer connections is in the API.
      await eventually(async () => {
        const { body } = await alice.user.api.status(outgoing.id)
        expect(body.participants.map((one) => one.connection_status)).to.deep.equal(['connected', 'connected'])
      })
      expect([outgoing.state.peerPresent, incoming.state.peerPresent]).to.deep.equal([true, true])

      await incoming.hangUp()
      await untilPhase(outgoing, 'ended')
      expect([outgoing.state.endReason, incoming.state.endReason]).to.deep.equal(['hangup', 'hangup'])
      expect([...alice.client.calls, ...bob.client.calls]).to.deep.equal([])
      const { body } = await alice.user.api.history(alice.id)
      expect(body.calls[0]).to.include({ call_id: outgoing.id, status: 'completed', end_reason: 'hangup' })
      expect([...alice.errors, ...bob.errors]).to.deep.equal([])
    })
  }

  it('declines: both sides end as declined', async () => {
    const [alice, bob] = [await Party.online(cluster), await Party.online(cluster, { gateway: 1 })]
    const outgoing = await alice.client.call(bob.id)
    const incoming = await bob.rung()

    await incoming.decline()

    await untilPhase(outgoing, 'ended')
    expect([outgoing.state.endReason, incoming.state.endReason]).to.deep.equal(['declined', 'declined'])
    expect(await codeOf(incoming.answer())).to.equal('INVALID_STATE')
  })

  it('does not end a call by a decline that comes after another device has answered', async () => {
    let held = Promise.resolve()
    const [alice, phone] = [await Party.online(cluster), await Party.online(cluster, { gateway: 1 })]
    const token = async () => {
      await held
      return phone.user.token
    }
    const tablet = await Party.online(cluster, { of: phone, token })
    const outgoing = await alice.client.call(phone.id)
    const [onPhone, onTablet] = [await phone.rung(), await tablet.rung()]

    // The decline is under way when the phone answers.
    let release = () => {}
    held = new Promise<void>((resolve) => {
      release = resolve
    })
    const declining = onTablet.decline()
    await onPhone.answer()
    release()
    await declining

    await Promise.all([untilPhase(outgoing, 'active'), untilPhase(onPhone, 'active')])
    expect(onTablet.state).to.include({ phase: 'ended', endReason: 'answered_elsewhere' })
    await onPhone.hangUp()
    await untilPhase(outgoing, 'ended')
  })

  it('calls out while somebody rings, who is told that the user is busy', async () => {
    const [alice, bob, carol] = [await Party.online(cluster), await Party.online(cluster), await Party.online(cluster)]
    const unwelcome = await alice.client.call(bob.id)
    const ringing = await bob.rung()

    const outgoing = await bob.client.call(carol.id)
    const incoming = await carol.rung()
    await incoming.answer()

    await Promise.all([untilPhase(outgoing, 'active'), untilPhase(unwelcome, 'ended'), untilPhase(ringing, 'ended')])
    expect([unwelcome.state.endReason, ringing.state.endReason]).to.deep.equal(['busy', 'busy'])
    await outgoing.hangUp()
  })

  it('stops ringing when the caller gives up', async () => {
    const [alice, bob] = [await Party.online(cluster), await Party.online(cluster, { gateway: 1 })]
    const outgoing = await alice.client.call(bob.id)
    const incoming = await bob.rung()

    await outgoing.hangUp()

    await untilPhase(incoming, 'ended')
    expect([outgoing.state.endReason, incoming.state.endReason]).to.deep.equal(['canceled', 'canceled'])
  })

  it('stops ringing on the other devices once one has answered, and lets one of several win', async () => {
    const alice = await Party.online(cluster)
    const phone = await Party.online(cluster, { gateway: 1 })
    const tablet = await Party.online(cluster, { gateway: 0, of: phone })
    const outgoing = await alice.client.call(phone.id)
    const [onPhone, onTablet] = [await phone.rung(), await tablet.rung()]

    const codes = await Promise.all([codeOf(onPhone.answer()), codeOf(onTablet.answer())])

    expect(codes.filter((code) => code === 'fulfilled')).to.have.length(1)
    const [winner, loser] = codes[0] === 'fulfilled' ? [onPhone, onTablet] : [onTablet, onPhone]
    await Promise.all([untilPhase(outgoing, 'active'), untilPhase(winner, 'active'), untilPhase(loser, 'ended')])
    expect(loser.state.endReason).to.equal('answered_elsewhere')
    expect(codes.find((code) => code !== 'fulfilled')).to.be.oneOf(['CONFLICT', 'INVALID_STATE'])
    await outgoing.hangUp()
    await untilPhase(winner, 'ended')
    expect(winner.state.endReason).to.equal('hangup')
  })

  it('keeps its place in a call that it has answered, though each of its tokens has another jti', async () => {
    const alice = await Party.online(cluster)
    const user = createUser(cluster.api(0).url, cluster.jwtSecret)
    const renewed = () => mintToken(cluster.jwtSecret, { sub: user.id, jti: randomUUID() })
    const bob = await Party.online(cluster, { gateway: 1, token: renewed, deviceId: 'phone' })
    const outgoing = await alice.client.call(user.id)
    const incoming = await bob.rung()
    await incoming.answer()
    await Promise.all([untilPhase(outgoing, 'active'), untilPhase(incoming, 'active')])

    const wasReconnecting: boolean[] = []
    incoming.on('state', ({ reconnecting }) => wasReconnecting.push(reconnecting))
    bob.cut()

    await eventually(() => {
      expect(wasReconnecting).to.include(true)
      expect(incoming.state).to.include({ phase: 'active', reconnecting: false })
    })
    expect(incoming.state.endReason).to.equal(undefined)
    await outgoing.hangUp()
    await untilPhase(incoming, 'ended')
    expect(incoming.state.endReason).to.equal('hangup')
  })

  it('connects two users who call each other at once and want that merged', async () => {
    const [alice, bob] = [await Party.online(cluster), await Party.online(cluster, { gateway: 1 })]

    const [one, other] = await Promise.all([
      alice.client.call(bob.id, { onGlare: 'merge' }),
      bob.client.call(alice.id, { onGlare: 'merge' }),
    ])

    expect(one.id).to.equal(other.id)
    expect([one.direction, other.direction]).to.have.members(['outgoing', 'incoming'])
    await Promise.all([untilPhase(one, 'active'), untilPhase(other, 'active')])
    expect([...alice.client.calls, ...bob.client.calls]).to.have.members([one, other])
    await one.hangUp()
    await untilPhase(other, 'ended')
  })

  it('rings a device that comes online mid-ring, and refuses a second call with the code of the contract', async () => {
    const [alice, carol] = [await Party.online(cluster), await Party.online(cluster)]
    const bob = new Party(cluster, { gateway: 1 })
    const outgoing = await alice.client.call(bob.id)

    await bob.client.connect()

    expect((await bob.rung()).id).to.equal(outgoing.id)
    expect(await codeOf(carol.client.call(bob.id))).to.equal('USER_ALREADY_IN_CALL')
    expect(await codeOf(carol.client.call(carol.id))).to.equal('INVALID_REQUEST')
  })

  it('says which token was refused, and does not try for ever', async () => {
    const token = `${createUser(cluster.url, cluster.jwtSecret).token}x`
    const stranger = new Party(cluster, { token: () => token })

    expect(await codeOf(stranger.client.connect())).to.equal('UNAUTHORIZED')
    expect(stranger.client.state).to.equal('offline')
  })

  it('sends no token to an origin that is not configured, and ends the call that it cannot join', async () => {
    const alice = await Party.online(cluster, { origins: [] })
    const bob = await Party.online(cluster, { gateway: 1 })

    expect(await codeOf(alice.client.call(bob.id))).to.equal('ORIGIN_REFUSED')

    const incoming = await bob.rung()
    await untilPhase(incoming, 'ended')
    expect(incoming.state.endReason).to.equal('connection_failed')
  })
})

describe('the client library, where nobody answers', function () {
  this.timeout(60_000)
  let cluster: Cluster

  before(async () => {
    cluster = await privateCluster({ edge: false, env: { RING_TIMEOUT_SECONDS: '3' } })
  })
  afterEach(closeParties)
  after(() => cluster.stop())

  it('ends both sides as no_answer, and the history says missed', async () => {
    const [alice, bob] = [await Party.online(cluster), await Party.online(cluster, { gateway: 1 })]
    const outgoing = await alice.client.call(bob.id)
    const incoming = await bob.rung()

    await Promise.all([untilPhase(outgoing, 'ended'), untilPhase(incoming, 'ended')])

    expect([outgoing.state.endReason, incoming.state.endReason]).to.deep.equal(['no_answer', 'no_answer'])
    const { body } = await bob.user.api.history(bob.id)
    expect(body.calls[0]).to.include({ call_id: outgoing.id, status: 'missed' })
  })
})
