import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { sharedCluster } from '../support/clusters.ts'
import { madeMedia, receives, sendPackets } from './made-media.ts'
import { closeParties, Party, untilPhase } from './party.ts'

describe('the media of the client library', function () {
  this.timeout(60_000)
  let cluster: Cluster

  before(async () => {
    cluster = await sharedCluster()
  })
  afterEach(closeParties)

  for (const [type, kinds] of [
    ['voice', ['audio']],
    ['video', ['audio', 'video']],
  ] as const) {
    it(`flows both ways in a ${type} call, is switched, and stops with it`, async () => {
      const [hers, his] = [madeMedia(), madeMedia()]
      const plain = { onPeerConnection: () => {} }
      const alice = await Party.online(cluster, { ...plain, getMedia: hers.getMedia })
      const bob = await Party.online(cluster, { ...plain, gateway: 1, getMedia: his.getMedia })
      const outgoing = await alice.client.call(bob.id, { video: type === 'video' })
      const incoming = await bob.rung()
      await incoming.answer()
      await Promise.all([untilPhase(outgoing, 'active'), untilPhase(incoming, 'active')])

      await receives(incoming, [...kinds], () => sendPackets(outgoing))
      await receives(outgoing, [...kinds], () => sendPackets(incoming))

      expect(outgoing.state).to.include({ muted: false, cameraOn: type === 'video' })
      outgoing.setMuted(true)
      await outgoing.setCamera(false)
      expect(outgoing.state).to.include({ muted: true, cameraOn: false })
      expect(hers.opened.map(({ enabled }) => enabled)).to.deep.equal(kinds.map(() => false))
      await outgoing.hangUp()
      await untilPhase(incoming, 'ended')
      expect([...hers.opened, ...his.opened].every(({ stopped }) => stopped)).to.equal(true)
      expect([...alice.errors, ...bob.errors].map(({ message }) => message)).to.deep.equal([])
    })
  }

  it('is asked for before anybody is rung, and its absence leaves a call ringing', async () => {
    const getMedia = () => Promise.reject(new Error('Permission denied'))
    const alice = await Party.online(cluster)
    const bob = await Party.online(cluster, { gateway: 1, getMedia })
    const codeOf = ({ code }: { code: string }) => code

    expect(await bob.client.call(alice.id).catch(codeOf)).to.equal('MEDIA_UNAVAILABLE')
    expect((await bob.user.api.activeCalls(bob.id)).body.active_calls).to.deep.equal([])
    await alice.client.call(bob.id)
    const incoming = await bob.rung()
    expect(await incoming.answer().catch(codeOf)).to.equal('MEDIA_UNAVAILABLE')
    expect(incoming.state.phase).to.equal('ringing')
  })

  it('gets a camera in the middle of a voice call, and the other side its picture', async () => {
    const [hers, his] = [madeMedia(), madeMedia()]
    const plain = { onPeerConnection: () => {} }
    const alice = await Party.online(cluster, { ...plain, getMedia: hers.getMedia })
    const bob = await Party.online(cluster, { ...plain, gateway: 1, getMedia: his.getMedia })
    const outgoing = await alice.client.call(bob.id)
    const incoming = await bob.rung()
    await incoming.answer()
    await Promise.all([untilPhase(outgoing, 'active'), untilPhase(incoming, 'active')])
    await receives(incoming, ['audio'], () => sendPackets(outgoing))

    await outgoing.setCamera(true)

    expect(outgoing.state.cameraOn).to.equal(true)
    await receives(incoming, ['audio', 'video'], () => sendPackets(outgoing))
    await receives(outgoing, ['audio'], () => sendPackets(incoming))
    await outgoing.hangUp()
    expect(hers.opened.map(({ kind, stopped }) => [kind, stopped])).to.deep.equal([
      ['audio', true],
      ['video', true],
    ])
    expect(await outgoing.setCamera(true).catch(({ code }: { code: string }) => code)).to.equal('INVALID_STATE')
    expect([...alice.errors, ...bob.errors].map(({ message }) => message)).to.deep.equal([])
  })

  it('has no camera where none can be had: the call goes on, and its owner is told', async () => {
    const { getMedia } = madeMedia()
    const voiceOnly = (wanted: { audio: boolean; video: boolean }) =>
      wanted.video ? Promise.reject(new Error('Permission denied')) : getMedia(wanted)
    const alice = await Party.online(cluster, { onPeerConnection: () => {}, getMedia: voiceOnly })
    const bob = await Party.online(cluster, { gateway: 1 })
    const outgoing = await alice.client.call(bob.id)
    const withoutMedia = await bob.rung()
    await withoutMedia.answer()
    await Promise.all([untilPhase(outgoing, 'active'), untilPhase(withoutMedia, 'active')])

    for (const call of [outgoing, withoutMedia]) {
      expect(await call.setCamera(true).catch(({ code }: { code: string }) => code)).to.equal('MEDIA_UNAVAILABLE')
      expect(call.state).to.include({ phase: 'active', cameraOn: false })
    }
  })
})
