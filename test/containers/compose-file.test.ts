/** What in docker-compose.yml must fit together; `make test-containers` runs it. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { parse } from 'yaml'
import { loadConfig, type ProcessRole } from '../../core/platform/config.ts'
import { VARIABLES } from '../../core/platform/environment.ts'
import { EDGE_VARIABLES, renderForContainers } from '../../edge/container-settings.ts'

const root = dirname(dirname(import.meta.dirname))

interface Service {
  image: string
  command?: string[]
  entrypoint?: string[]
  environment?: Record<string, string> | string[]
  volumes?: string[]
  networks?: string[]
  network_mode?: string
  user?: string
  read_only?: boolean
  cap_drop?: string[]
  cap_add?: string[]
  security_opt?: string[]
  mem_limit?: string
  cpus?: number
  stop_grace_period?: string
  stop_signal?: string
  restart?: string
  healthcheck?: object
  depends_on?: Record<string, { condition: string }>
}

const file = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), { merge: true }) as {
  services: Record<string, Service>
  networks: Record<string, { internal?: boolean }>
  volumes: Record<string, object>
}

const service = (name: string): Service => {
  const found = file.services[name]
  if (found === undefined) throw new Error(`There is no service ${name}`)
  return found
}

const seconds = (text: string | undefined) => Number(/^(\d+)s$/.exec(text ?? '')?.[1] ?? 10)

/** As compose fills it in, where its own environment says no more than `outside`. */
function environmentOf(name: string, outside: Record<string, string> = {}): Record<string, string> {
  const given = service(name).environment ?? {}
  if (Array.isArray(given)) return {}
  return Object.fromEntries(
    Object.entries(given).map(([key, value]) => [
      key,
      value.replace(/\$\{(\w+):?-([^}]*)\}/g, (_all, from: string, or: string) => outside[from] ?? or),
    ]),
  )
}

/** What docker/start.sh makes of it; every secret is some long text. */
function startedWith(name: string, outside: Record<string, string> = {}): Record<string, string> {
  const secrets: Record<string, string> = {
    '/secrets/database_url': 'postgres://tchat:secret@postgres:5432/tchat',
    '/secrets/redis_url': 'redis://:secret@redis:6379',
    '/secrets/jwt_secret': 'x'.repeat(43),
    '/secrets/turn_secret': 'y'.repeat(43),
  }
  return Object.fromEntries(
    Object.entries(environmentOf(name, outside)).map(([key, value]) => {
      if (!key.endsWith('_FILE')) return [key, value]
      const secret = secrets[value]
      if (secret === undefined) throw new Error(`${key} is ${value}, which make-secrets.mjs does not make`)
      return [key.slice(0, -'_FILE'.length), secret]
    }),
  )
}

describe('docker-compose.yml', () => {
  for (const role of ['api', 'gateway', 'worker', 'migrate'] as ProcessRole[]) {
    it(`gives ${role} an environment that it starts with in production, and no variable that it does not know`, () => {
      const env = startedWith(role)
      expect(Object.keys(env).filter((name) => !(name in VARIABLES))).to.deep.equal([])
      // The image says so.
      const config = loadConfig(role, { ...env, BIND_ADDRESS: '0.0.0.0' })
      expect(config.production).to.equal(true)
      expect(service(role).command).to.deep.equal([role])
      expect(seconds(service(role).stop_grace_period)).to.be.above(config.http.shutdownTimeoutMs / 1000)
      expect(config.http.shutdownTimeoutMs).to.be.above(config.signaling.drainWindowMs + 6_000)
    })
  }

  it('gives the edge settings that render, ports that fit, and the time to drain', () => {
    const env = environmentOf('edge-config')
    expect(Object.keys(env).filter((name) => !(name in EDGE_VARIABLES))).to.deep.equal([])
    expect(Object.keys(file.services)).to.include.members([env.EDGE_API_HOST, env.EDGE_GATEWAY_HOST])
    const config = renderForContainers(readFileSync(join(root, 'edge/haproxy.cfg.template'), 'utf8'), env)
    const drain = Number(/hard-stop-after (\d+)s/.exec(config.slice(config.lastIndexOf('\nglobal')))?.[1])
    expect(seconds(service('edge').stop_grace_period)).to.be.above(drain)
    expect(service('edge').stop_signal).to.equal('SIGUSR1')
    expect(service('edge').command?.at(-1)).to.equal(service('edge-config').command?.at(-1))
  })

  it('has neither demo nor TLS by itself, and each by a variable of the environment', () => {
    const template = readFileSync(join(root, 'edge/haproxy.cfg.template'), 'utf8')
    expect(renderForContainers(template, environmentOf('edge-config'))).to.match(/^ {2}bind :8093$/m)
    const settings = environmentOf('edge-config', { EDGE_TLS_CERTIFICATE: '/tls/calls.pem' })
    expect(renderForContainers(template, settings)).to.include('bind :8093 ssl crt /tls/calls.pem ')
    expect(service('edge').volumes?.at(-1)).to.match(/^\$\{EDGE_TLS_FOLDER:-edge-tls\}:\/tls:ro$/)
    expect(file.volumes).to.have.property('edge-tls')

    const demo = { DEMO_ENABLED: 'true' }
    const api = (given: Record<string, string>) =>
      loadConfig('api', { ...startedWith('api', given), BIND_ADDRESS: '0.0.0.0' })
    expect(api({}).http.demoEnabled).to.equal(false)
    expect(() => api(demo)).to.throw('DEMO_ENABLED must not be true in production')
    expect(api({ ...demo, NODE_ENV: 'development' }).http.demoEnabled).to.equal(true)
  })

  it('has no secret in it: each comes from the environment or from a file of the volume', () => {
    const text = readFileSync(join(root, 'docker-compose.yml'), 'utf8')
    expect(text).not.to.match(/(SECRET|PASSWORD|password)\w*:\s+["']?(?!\$|\/secrets\/)[\w-]+/)
    const made = readFileSync(join(root, 'docker/make-secrets.mjs'), 'utf8')
    const used = [...text.matchAll(/\/secrets\/(\w+)/g)].map(([, name]) => name)
    expect(used.length).to.be.above(5)
    for (const name of used) expect(made).to.include(`keep('${name}'`)
    expect(service('secrets').environment).to.have.members(
      [...made.matchAll(/[A-Z]+_(?:SECRET|PASSWORD)(?=[,} ].*process\.env)/g)].map(([name]) => name),
    )
  })

  it('gives each container its own secrets and no other', () => {
    const folder = mkdtempSync(join(tmpdir(), 'secrets-'))
    try {
      const make = () => execFileSync(process.execPath, [join(root, 'docker/make-secrets.mjs'), folder], { env: {} })
      const read = (name: string) => readFileSync(join(folder, name), 'utf8')
      make()
      const first = read('postgres/postgres_password')
      make()
      expect(read('postgres/postgres_password')).to.equal(first)
      expect(read('api/database_url')).to.include(first)
      expect(statSync(join(folder, 'kept/jwt_secret')).mode & 0o777).to.equal(0o400)
      for (const name of Object.keys(file.services).filter((one) => one !== 'secrets')) {
        const mounted = (service(name).volumes ?? []).filter((volume) => volume.startsWith('secrets'))
        const has = existsSync(join(folder, name))
        expect(mounted, name).to.deep.equal(has ? [`secrets-${name}:/secrets:ro`] : [])
        if (!has) continue
        expect(statSync(join(folder, name)).mode & 0o007, name).to.equal(0)
        const { environment = {}, healthcheck = {}, command = [], entrypoint = [] } = service(name)
        const scripts = [...command, ...entrypoint].filter((word) => /^\/\w+\.sh$/.test(word))
        const words = [JSON.stringify({ environment, healthcheck })]
        words.push(...scripts.map((script) => readFileSync(join(root, 'docker', script), 'utf8')))
        const used = [...words.join().matchAll(/\/secrets\/(\w+)/g)].map(([, secret]) => secret ?? '')
        expect(readdirSync(join(folder, name)), name).to.have.members([...new Set(used)])
        expect(service('secrets').volumes).to.include(`secrets-${name}:/made/${name}`)
        expect(file.volumes).to.have.property(`secrets-${name}`)
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it('hardens every service, and bounds it', () => {
    for (const [name, found] of Object.entries(file.services)) {
      expect(found, name).to.deep.include({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      })
      expect(found.cap_add ?? [], name).to.deep.equal(name === 'coturn' ? ['NET_BIND_SERVICE'] : [])
      expect(found.mem_limit, name).to.match(/^\d+[mg]$/)
      expect(found.cpus, name).to.be.above(0)
    }
  })

  it('keeps the stores in a network without a way out, with those alone who use them', () => {
    expect(file.networks.data?.internal).to.equal(true)
    const within = Object.keys(file.services).filter((name) => service(name).networks?.includes('data'))
    expect(within).to.have.members(['postgres', 'redis', 'migrate', 'api', 'gateway', 'worker'])
    expect(service('postgres').networks).to.deep.equal(['data'])
    expect(service('redis').networks).to.deep.equal(['data'])
  })

  it('starts each part when what it needs is there', () => {
    for (const [name, { depends_on: needs = {} }] of Object.entries(file.services)) {
      for (const [other, { condition }] of Object.entries(needs)) {
        const ends = service(other).restart === 'no'
        const possible = ends ? ['service_completed_successfully'] : ['service_healthy', 'service_started']
        expect(possible, `${name} waits for ${other}`).to.include(condition)
        // The image of our own processes has its check built in.
        const isOurs = service(other).image.includes('tchat-calling')
        if (condition === 'service_healthy') expect(service(other).healthcheck ?? isOurs, other).to.not.equal(false)
      }
    }
    for (const name of ['api', 'gateway', 'worker']) expect(service(name).depends_on).to.have.property('migrate')
  })

  it('mounts files that are there', () => {
    const mounted = Object.values(file.services).flatMap(({ volumes = [] }) => volumes)
    const ours = mounted.filter((volume) => volume.startsWith('./docker/')).map((volume) => volume.split(':')[0] ?? '')
    expect(ours).to.have.length(2)
    for (const path of ours) expect(existsSync(join(root, path)), path).to.equal(true)
  })
})
