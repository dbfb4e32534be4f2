import { expect } from 'chai'
import { asCreated, type Call, durationSeconds, historyStatus, roleOf, signalingUrl, startedAt } from './call.ts'

const at = (ms: number) => new Date(Date.UTC(2024, 0, 1) + ms)

const call: Call = {
  id: '00000000-0000-4000-8000-000000000001',
  status: 'ended',
  type: 'voice',
  group: null,
  callerId: 'caller',
  calleeId: 'callee',
  createdAt: at(0),
  ringExpiresAt: at(45_000),
  answeredAt: at(5_000),
  answeredByDevice: 'phone',
  endedAt: at(65_999),
  endReason: 'hangup',
  version: 3,
  firstJoinedAt: at(6_000),
  peersGoneSince: at(60_000),
  joinedSides: 3,
  occupancyVersion: 2,
  ringingAt: at(1_000),
  unreachableAt: null,
}

describe('a call', () => {
  it('lasts whole seconds from the answer to the end, or to now', () => {
    expect(durationSeconds(call, at(1_000_000))).to.equal(60)
    expect(durationSeconds({ answeredAt: at(5_000), endedAt: null }, at(7_000))).to.equal(2)
    expect(durationSeconds({ answeredAt: at(5_000), endedAt: null }, at(4_000))).to.equal(0)
    expect(durationSeconds({ answeredAt: null, endedAt: at(45_000) }, at(50_000))).to.equal(0)
  })

  it('started with its answer, or with its creation where nobody answered', () => {
    expect(startedAt(call)).to.deep.equal(at(5_000))
    expect(startedAt({ ...call, answeredAt: null })).to.deep.equal(at(0))
  })

  it('is completed, missed or failed', () => {
    expect(historyStatus(call)).to.equal('completed')
    expect(historyStatus({ ...call, answeredAt: null })).to.equal('missed')
    expect(historyStatus({ ...call, status: 'failed' })).to.equal('failed')
    expect(historyStatus({ ...call, status: 'failed', answeredAt: null })).to.equal('failed')
  })

  it('knows the roles of its two users, and no stranger', () => {
    expect(roleOf(call, 'caller')).to.equal('caller')
    expect(roleOf(call, 'callee')).to.equal('callee')
    expect(roleOf(call, 'stranger')).to.equal(undefined)
  })

  it('can be shown as it was when it was created', () => {
    expect(asCreated(call)).to.deep.include({ id: call.id, status: 'connecting', version: 1, endedAt: null })
    expect(asCreated(call).ringExpiresAt).to.deep.equal(call.ringExpiresAt)
  })

  it('has its signaling at the public origin', () => {
    const of = (name: string, publicUrl: string) => ({ name, publicUrl, redisUrl: 'redis://127.0.0.1', isOpen: true })
    const [main, other] = [of('main', 'http://localhost:8093'), of('other', 'https://calls-2.example')]
    const groups = { first: main, own: main, all: [main, other] }

    expect(signalingUrl(groups, { id: 'id', group: 'main' })).to.equal('ws://localhost:8093/ws/signaling/id')
    expect(signalingUrl(groups, { id: 'id', group: 'other' })).to.equal('wss://calls-2.example/ws/signaling/id')
    for (const group of [null, 'gone']) expect(signalingUrl(groups, { id: 'id', group })).to.contain('localhost:8093')
  })
})
