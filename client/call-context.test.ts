import { expect } from 'chai'
import { handshakeAddress } from './call-context.ts'
import { readIdentity } from './identity.ts'
import { type CallingClientOptions, settle } from './options.ts'
import type { PeerConnectionConstructor, SocketConstructor } from './platform.ts'

const settingsOf = (options: Partial<CallingClientOptions>) =>
  settle({
    url: 'https://calls.example.com',
    token: () => 'secret',
    WebSocket: class {} as unknown as SocketConstructor,
    RTCPeerConnection: class {} as unknown as PeerConnectionConstructor,
    ...options,
  })

const tokenOf = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.signature`

async function refusalOf(options: Partial<CallingClientOptions>, target: string): Promise<string> {
  try {
    return (await handshakeAddress(settingsOf(options), { deviceId: 'phone' }, new URL(target))).href
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('where a token goes', () => {
  it('is the configured origin, by WebSocket', async () => {
    const address = await refusalOf({ deviceId: 'another' }, 'wss://calls.example.com/ws/signaling/1')

    expect(address).to.equal('wss://calls.example.com/ws/signaling/1?token=secret&device_id=phone')
  })

  it('is no other host, port or protocol, and nothing that looks like ours', async () => {
    for (const target of [
      'wss://evil.example.com/ws/signaling/1',
      'wss://calls.example.com:8443/ws/signaling/1',
      'ws://calls.example.com/ws/signaling/1',
      'wss://calls.example.com.evil.example/ws/signaling/1',
      'wss://calls.example.com@evil.example/ws/signaling/1',
    ])
      expect(await refusalOf({}, target), target).to.equal('ORIGIN_REFUSED')
  })

  it('is an origin that is listed', async () => {
    const origins = ['https://shard-2.example.com']

    expect(await refusalOf({ origins }, 'wss://shard-2.example.com/ws')).to.match(/^wss:\/\/shard-2/)
  })
})

describe('who a token speaks for', () => {
  it('is its subject, and its device before ours', () => {
    const sub = '6F9619FF-8b86-4d01-b42d-00cf4fc964ff'

    expect(readIdentity(tokenOf({ sub, name: 'Zoë' }), 'ours')).to.deep.equal({
      userId: sub.toLowerCase(),
      deviceId: 'ours',
    })
    for (const claims of [{ jti: 'j' }, { device_id: '' }, { device_id: 7 }, { device_id: 'x'.repeat(129) }])
      expect(readIdentity(tokenOf({ sub, ...claims }), 'ours').deviceId).to.equal('ours')
    expect(readIdentity(tokenOf({ sub, jti: 'j', device_id: 'd' }), 'ours').deviceId).to.equal('d')
  })

  it('is nobody where it is no token', () => {
    for (const token of ['', 'x', 'a.b.c', tokenOf({})])
      expect(() => readIdentity(token, 'ours'), token).to.throw('names no user')
  })
})
