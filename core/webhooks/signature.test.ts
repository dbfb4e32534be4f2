import { randomBytes } from 'node:crypto'
import { expect } from 'chai'
import { Webhook } from 'standardwebhooks'
import { sign } from './signature.ts'

describe('sign', () => {
  it('signs as the vector of the specification', () => {
    const secret = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64')

    expect(sign([secret], 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330, '{"test": 2432232314}')).to.equal(
      'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    )
  })

  it('signs with every secret, so that a receiver who knows one of them is content', () => {
    const secrets = [randomBytes(32), randomBytes(24), randomBytes(64)]
    const timestamp = Math.floor(Date.now() / 1000)
    const body = JSON.stringify({ name: 'Žofie 🙂' })
    const headers = {
      'webhook-id': 'evt_1',
      'webhook-timestamp': String(timestamp),
      'webhook-signature': sign(secrets, 'evt_1', timestamp, body),
    }

    for (const secret of secrets)
      expect(new Webhook(`whsec_${secret.toString('base64')}`).verify(body, headers)).to.deep.equal(JSON.parse(body))
    const stranger = new Webhook(`whsec_${randomBytes(32).toString('base64')}`)
    expect(() => stranger.verify(body, headers)).to.throw(/No matching signature/)
    const known = new Webhook(`whsec_${secrets[0]?.toString('base64')}`)
    expect(() => known.verify(`${body} `, headers)).to.throw(/No matching signature/)
  })
})
