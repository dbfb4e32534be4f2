import { expect } from 'chai'
import { loadConfig } from './config.ts'
import { ConfigError } from './environment.ts'

const secret = (fill: number, bytes = 32) => `whsec_${Buffer.alloc(bytes, fill).toString('base64')}`
const load = (env: Record<string, string>, role: 'worker' | 'migrate' = 'worker') =>
  loadConfig(role, env).webhooks.endpoints

describe('the endpoints of webhooks', () => {
  it('are none where nothing is said', () => {
    expect(load({})).to.deep.equal([])
    expect(load({ WEBHOOK_URLS: 'none' })).to.deep.equal([])
    expect(loadConfig('worker', {}).calls.webhooks.subscriptions).to.deep.equal([])
  })

  it('have names of their own or of their hosts, secrets of their own or of all, and the events that they want', () => {
    const endpoints = load({
      WEBHOOK_URLS: 'Push=https://a.example/hook?x=1=2, https://b.example:8443/calls',
      WEBHOOK_SECRETS: `${secret(1)},push=${secret(2)}|${secret(3, 24)}`,
      WEBHOOK_EVENTS: 'b.example:8443=call.missed|call.initiated',
    })

    expect(endpoints.map(({ name, url }) => [name, url])).to.deep.equal([
      ['push', 'https://a.example/hook?x=1=2'],
      ['b.example:8443', 'https://b.example:8443/calls'],
    ])
    expect(endpoints.map(({ secrets }) => secrets.map((key) => [key[0], key.length]))).to.deep.equal([
      [
        [2, 32],
        [3, 24],
      ],
      [[1, 32]],
    ])
    expect(endpoints.map(({ types }) => types.length)).to.deep.equal([6, 2])
    expect(endpoints[1]?.types).to.deep.equal(['call.initiated', 'call.missed'])
  })

  it('need secrets only where they are signed for', () => {
    const env = { WEBHOOK_URLS: 'https://a.example/' }

    expect(load(env, 'migrate')[0]?.secrets).to.deep.equal([])
    expect(() => load(env)).to.throw(ConfigError, /^WEBHOOK_SECRETS must have a secret for a\.example\.$/)
  })

  const wrong: [string, Record<string, string>, RegExp][] = [
    ['two of one name', { WEBHOOK_URLS: 'https://a.example/1,https://a.example/2' }, /two endpoints of one name/],
    ['a password in a URL', { WEBHOOK_URLS: 'https://me:pass@a.example/' }, /no user name or password/],
    ['http in production', { WEBHOOK_URLS: 'http://a.example/', NODE_ENV: 'production' }, /must be https:/],
    ['a private address', { WEBHOOK_URLS: 'https://10.0.0.1/' }, /public addresses/],
    ['loopback written oddly', { WEBHOOK_URLS: 'https://[::ffff:7f00:1]/' }, /public addresses/],
    ['another scheme', { WEBHOOK_URLS: 'ftp://a.example/' }, /^WEBHOOK_URLS must be none or/],
    ['a secret of nobody', { WEBHOOK_SECRETS: `x=${secret(1)}` }, /^WEBHOOK_SECRETS names an endpoint/],
    ['a short secret', { WEBHOOK_SECRETS: secret(1, 23) }, /24 to 64 bytes/],
    ['a long secret', { WEBHOOK_SECRETS: secret(1, 65) }, /24 to 64 bytes/],
    ['a secret in another form', { WEBHOOK_SECRETS: 'hunter2' }, /^WEBHOOK_SECRETS must be none or/],
    ['an unknown event', { WEBHOOK_EVENTS: 'call.started' }, /^WEBHOOK_EVENTS must be of call\.initiated/],
  ]
  for (const [what, env, sentence] of wrong)
    it(`refuse ${what}, without repeating a secret`, () => {
      expect(() => load({ WEBHOOK_URLS: 'https://a.example/', WEBHOOK_SECRETS: secret(7), ...env }))
        .to.throw(ConfigError, sentence)
        .with.property('message')
        .that.does.not.match(/hunter2|BwcH|me:pass/)
    })

  it('may be private, and plain in production, where that is allowed', () => {
    const env = { WEBHOOK_SECRETS: secret(1), WEBHOOK_ALLOW_PRIVATE: 'true', NODE_ENV: 'production' }

    expect(load({ ...env, WEBHOOK_URLS: 'http://10.0.0.1/' })).to.have.length(1)
  })
})
