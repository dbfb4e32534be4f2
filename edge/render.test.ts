import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { maxConnectionsFor, renderEdge } from './render.ts'

const template = readFileSync(join(import.meta.dirname, 'haproxy.cfg.template'), 'utf8')

const settings = {
  bind: '127.0.0.1:8093',
  maxConnections: 8_000,
  apis: [{ name: 'api-1', host: '127.0.0.1', port: 7001, checkPort: 7002 }],
  gateways: [
    { name: 'gateway-1', host: '127.0.0.1', port: 7003, checkPort: 7004 },
    { name: 'gateway-2', host: '127.0.0.1', port: 7005, checkPort: 7006 },
  ],
}

/** The lines of one section, without its comments. */
function section(config: string, title: string): string[] {
  const lines = config.split('\n')
  const start = lines.indexOf(title)
  const end = lines.findIndex((line, at) => at > start && /^\S/.test(line))
  return lines
    .slice(start + 1, end === -1 ? undefined : end)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
}

describe('renderEdge', () => {
  const config = renderEdge(template, settings)

  it('fills every place of the template', () => {
    expect(config).not.to.match(/\{\{\w/)
    expect(section(config, 'frontend public from base')).to.include('bind 127.0.0.1:8093')
    expect(section(config, 'frontend public from base')).to.include('maxconn 8000')
    // Probes and Prometheus have places of their own.
    expect(section(config, 'global')).to.include('maxconn 8032')
  })

  it('checks each server on its internal port, apart from the one it serves on', () => {
    expect(section(config, 'backend gateways from http')).to.include.members([
      'server gateway-1 127.0.0.1:7003 id 768488 check port 7004',
      'server gateway-2 127.0.0.1:7005 id 768933 check port 7006',
    ])
    expect(section(config, 'backend api from http').join()).to.match(
      /server api-1 127.0.0.1:7001 id \d+ check port 7002/,
    )
  })

  it('gives a server the same id whatever else is listed, and no two the same', () => {
    const gateways = Array.from({ length: 500 }, (_, at) => `gateway-${at}`).map((name) => ({
      name,
      host: '127.0.0.1',
      port: 7003,
      checkPort: 7004,
    }))
    const idsOf = (listed: typeof gateways) =>
      [...renderEdge(template, { ...settings, apis: [], gateways: listed }).matchAll(/server (\S+) \S+ id (\d+)/g)]
        .map(([, name, id]) => `${name} ${id}`)
        .sort()

    const all = idsOf(gateways)
    expect(idsOf(gateways.toReversed())).to.deep.equal(all)
    expect(new Set(all.map((text) => text.split(' ')[1])).size).to.equal(500)
    const few = gateways.filter((_, at) => at % 7 === 0)
    expect(idsOf(few).filter((text) => !all.includes(text))).to.deep.equal([])
  })

  it('serves HTTPS where it has a certificate, and says so to the servers and, where asked to, to browsers', () => {
    const secure = (strictTransportSeconds: number) =>
      renderEdge(template, { ...settings, tls: { certificate: '/tls/edge.pem', strictTransportSeconds } })

    expect(section(secure(0), 'frontend public from base')).to.include(
      'bind 127.0.0.1:8093 ssl crt /tls/edge.pem alpn http/1.1',
    )
    expect(section(secure(0), 'defaults http from base')).to.include('http-request set-header X-Forwarded-Proto https')
    expect(secure(0)).not.to.include('Strict-Transport-Security')
    expect(section(secure(31_536_000), 'defaults http from base')).to.include(
      'http-after-response set-header Strict-Transport-Security max-age=31536000',
    )
    expect(section(config, 'defaults http from base')).to.include('http-request set-header X-Forwarded-Proto http')
    expect(config).not.to.match(/^ *bind .*ssl/m)
  })

  it('never leads a request to an internal port', () => {
    const targets = [...config.matchAll(/^ {2}server \S+ \S+:(\d+)/gm)].map((match) => Number(match[1]))
    expect(targets).not.to.include(7002)
    expect(new Set(targets)).to.deep.equal(new Set([7001, 7003, 7005]))
  })

  it('keeps the query, which carries tokens, out of its log', () => {
    const log = section(config, 'frontend public from base').find((line) => line.startsWith('log-format')) ?? ''
    expect(log)
      .to.include('txn.path')
      .and.not.match(/%r|%HQ|%HU|%HP|capture|url|query/)
  })

  it('writes its own errors as the envelope of the contract', () => {
    const errors = config.split('\n').filter((line) => line.trim().startsWith('http-error'))
    const bodies = errors.map((line): [number, unknown] => {
      const match = /status (\d+) .*lf-string '(.*)' hdr X-Request-Id/.exec(line)
      // A number stands for what HAProxy puts in without quotes.
      return [Number(match?.[1]), JSON.parse(match?.[2]?.replace(/:(%\[[^"]*?\])/g, ':250') ?? '')]
    })
    expect(bodies.map(([status]) => status)).to.deep.equal([400, 408, 429, 500, 502, 503, 504])
    for (const [status, body] of bodies) {
      expect(body).to.have.all.keys('error', 'timestamp', 'request_id')
      if (status === 429 || status > 500) expect(body).to.have.nested.property('error.details.retry_after_ms')
    }
  })

  it('refuses a template that it does not know', () => {
    expect(() => renderEdge(`${template}\n{{surprise}}`, settings)).to.throw('surprise')
    expect(() => renderEdge(template.replace('{{bind}}', ''), settings)).to.throw('bind')
  })
})

describe('maxConnectionsFor', () => {
  it('leaves two files a connection and some to spare', () => {
    expect(maxConnectionsFor(20_000)).to.equal(8_000)
    expect(maxConnectionsFor(1_024)).to.equal(409)
  })

  it('stays in reasonable bounds for unreasonable limits', () => {
    expect(maxConnectionsFor(64)).to.equal(50)
    expect(maxConnectionsFor(1_048_576)).to.equal(50_000)
  })
})
