import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { renderForContainers } from './container-settings.ts'

const template = readFileSync(join(import.meta.dirname, 'haproxy.cfg.template'), 'utf8')
const HOSTS = { EDGE_API_HOST: 'api.calls.svc.cluster.local', EDGE_GATEWAY_HOST: 'gateway.calls.svc.cluster.local' }

describe('renderForContainers', () => {
  const config = renderForContainers(template, { ...HOSTS, EDGE_GATEWAY_SLOTS: '7' })
  const lines = config
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')

  it('finds gateways by name, in as many places as were asked for', () => {
    const found = 'server-template gateway- 1-7 gateway.calls.svc.cluster.local:8082 check port 9102 resolvers cluster'
    expect(lines).to.include(`${found} init-addr none`)
  })

  it('places gateways on the ring by address where HAProxy can, so that several edges agree', () => {
    const at = lines.indexOf('hash-type consistent wt6 avalanche')
    expect(lines[at + 1]).to.equal('.if version_atleast(3.1)')
    expect(lines[at + 2]).to.match(/^server-template gateway- .* hash-key addr init-state down$/)
    expect(lines.slice(at + 3, at + 6)[0]).to.equal('.else')
    expect(lines[at + 5]).to.equal('.endif')
  })

  it('checks APIs wherever it lists them: what is malformed goes to one that is ready, too', () => {
    const apis = lines.filter((line) => line.startsWith('server-template api- 1-16'))
    const plain = apis.map((line) => line.replace(' hash-key addr init-state down', ''))
    expect(new Set(plain.map((line) => line.replace(' send-proxy', '')))).to.have.length(1)
    // Behind a line that no HTTP parser takes for a request, so that it is refused and never served.
    expect(plain.filter((line) => line.endsWith(' send-proxy'))).to.have.length(2)
    // Twice in either branch of the two backends.
    expect(apis).to.have.length(4)
    expect(apis[0]).to.include('api.calls.svc.cluster.local:8081 check port 9101')
  })

  it('serves plain HTTP without a certificate, and TLS alone with one', () => {
    expect(lines).to.include('bind :8093')
    expect(config).not.to.include('Strict-Transport-Security')
    const own = { EDGE_TLS_CERTIFICATE: '/tls', EDGE_STRICT_TRANSPORT_SECONDS: '600' }
    const secure = renderForContainers(template, { ...HOSTS, ...own })
    expect(secure).to.include('bind :8093 ssl crt /tls alpn http/1.1\n')
    expect(secure).to.include('X-Forwarded-Proto https\n')
    expect(secure).to.include('Strict-Transport-Security max-age=600\n')
  })

  it('limits what one source may hold, unless it is told that all come from a proxy', () => {
    const own = { EDGE_MAX_CONNECTIONS: '1000', EDGE_SOURCE_SOCKETS: '70' }
    const limited = renderForContainers(template, { ...HOSTS, ...own })
    expect(limited).to.include('sc0_conn_cur,sub(sess.sockets) gt 250')
    expect(limited).to.include('sc1_conn_cur gt 70')
    expect(limited).to.include('sc0_conn_rate gt 1000')
    expect(limited).to.include('conn_rate(10s)')
    const open = renderForContainers(template, { ...HOSTS, ...own, EDGE_SOURCE_CONNECTIONS: '0' })
    expect(open).not.to.match(/sc[01]_|stick-table/)
  })

  it('lets the pages of CORS_ORIGINS read what it answers itself', () => {
    const config = renderForContainers(template, { ...HOSTS, CORS_ORIGINS: 'https://a.example, capacitor://localhost' })
    expect(config).to.include('{ req.fhdr(origin) -m str https://a.example }')
    expect(config).to.include('{ req.fhdr(origin) -m str capacitor://localhost }')
    expect(config).not.to.include('str(*)')
  })

  it('lets no other page read it where CORS_ORIGINS is not set', () => {
    expect(renderForContainers(template, HOSTS).toLowerCase()).not.to.include('access-control-allow-origin')
  })

  it('names what is missing or wrong', () => {
    expect(() => renderForContainers(template, { EDGE_API_HOST: 'api' })).to.throw('EDGE_GATEWAY_HOST must be set')
    const wrong: Record<string, string> = {
      EDGE_API_HOST: 'api weight 0',
      EDGE_BIND: ':8093 ssl',
      EDGE_DRAIN_SECONDS: '0',
      EDGE_GATEWAY_SLOTS: '1001',
      CORS_ORIGINS: 'https://a }',
      EDGE_SOURCE_ARRIVALS: '-1',
      EDGE_MAX_CONNECTIONS: 'many',
      EDGE_STRICT_TRANSPORT_SECONDS: 'long',
      EDGE_TLS_CERTIFICATE: '/tls verify none',
    }
    for (const [name, value] of Object.entries(wrong))
      expect(() => renderForContainers(template, { ...HOSTS, [name]: value }), name).to.throw(`${name} must be`)
  })
})
