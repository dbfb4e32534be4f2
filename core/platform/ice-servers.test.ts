import { createHmac } from 'node:crypto'
import { expect } from 'chai'
import { iceServersFor } from './ice-servers.ts'

const USER = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff'
const NOW = new Date('2024-01-01T12:00:00.900Z')
/** A second that has begun is given whole. */
const EXPIRY = Math.ceil(NOW.getTime() / 1000) + 600
const config = {
  stunUrls: ['stun:stun.example.com'],
  turnUrls: ['turn:turn.example.com:3478?transport=udp', 'turns:turn.example.com:5349?transport=tcp'],
  turnSecrets: ['the new secret', 'the old secret'],
  turnTtlSeconds: 600,
}

describe('iceServersFor', () => {
  it('signs with the first secret a name that tells expiry, user and device', () => {
    const { iceServers, ttl_seconds } = iceServersFor(config, { userId: USER, deviceId: 'phone' }, NOW)

    const username = `${EXPIRY}:${USER}:phone`
    const credential = createHmac('sha1', 'the new secret').update(username).digest('base64')
    expect(iceServers).to.deep.equal([{ urls: config.stunUrls }, { urls: config.turnUrls, username, credential }])
    expect(ttl_seconds).to.equal(600)
  })

  it('names no device where the token names none', () => {
    const { iceServers } = iceServersFor(config, { userId: USER, deviceId: undefined }, NOW)

    expect(iceServers[1]?.username).to.equal(`${EXPIRY}:${USER}`)
  })

  for (const deviceId of ['Ann’s phone', 'a:b', 'x'.repeat(65), ' '])
    it(`puts a hash for the device ${JSON.stringify(deviceId)}`, () => {
      const { iceServers } = iceServersFor(config, { userId: USER, deviceId }, NOW)

      expect(iceServers[1]?.username).to.match(new RegExp(`^${EXPIRY}:${USER}:[0-9a-f]{16}$`))
    })

  it('leaves out what is not configured', () => {
    const bare = { ...config, stunUrls: [], turnUrls: [], turnSecrets: [] }

    expect(iceServersFor(bare, { userId: USER, deviceId: undefined }, NOW).iceServers).to.deep.equal([])
  })
})
