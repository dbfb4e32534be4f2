/** The page, the sign-in by a name and the list of users: only where DEMO_ENABLED is true, never in production. */
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { expect } from 'chai'
import jwt from 'jsonwebtoken'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { ApiClient, createUser } from '../support/api-client.ts'
import { openChannel } from '../support/calls.ts'
import { privateCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'

const PER_MINUTE = 40

describe('the demo', () => {
  let cluster: Cluster
  /** The second API has no demo, the third a limit that is soon reached. */
  before(async function () {
    this.timeout(60_000)
    cluster = await privateCluster({
      gateways: 1,
      apis: 3,
      workers: 0,
      edge: false,
      env: { DEMO_ENABLED: 'true', RATE_LIMIT_SIGN_IN_PER_MINUTE: String(PER_MINUTE), JWT_ISSUER: 'the demo' },
      envFor: (role, index): Record<string, string> => {
        if (role !== 'api') return {}
        if (index === 1) return { DEMO_ENABLED: 'false' }
        return index === 2 ? { RATE_LIMIT_SIGN_IN_PER_MINUTE: '2', REDIS_KEY_PREFIX: 'own:' } : {}
      },
    })
  })
  after(() => cluster.stop())

  const anonymous = (api = 0) => new ApiClient(cluster.api(api).url)
  const newName = () => `Ada ${randomUUID().slice(0, 8)}`
  async function signedIn(name = newName()) {
    const { body } = await anonymous().signInToDemo(name)
    return { ...body, api: anonymous().as(body.token) }
  }

  describe('POST /demo/sign-in', () => {
    it('gives a token of the user of that name, for a day', async () => {
      const name = newName()

      const { status, headers, body } = await anonymous().signInToDemo(name)

      expect(status).to.equal(200)
      expect(headers.get('cache-control')).to.equal('no-store')
      expect(body.name).to.equal(name)
      expect(body.signaling_origin).to.equal(cluster.env.PUBLIC_URL)
      const claims = jwt.verify(body.token, cluster.jwtSecret, { issuer: 'the demo' }) as jwt.JwtPayload
      expect([claims.sub, claims.name]).to.deep.equal([body.user_id, name])
      // No device in it: each window is one of its own.
      expect(claims).to.have.all.keys('sub', 'name', 'iat', 'exp', 'iss')
      expect((claims.exp ?? 0) - (claims.iat ?? 0)).to.equal(86_400)
      expect((await anonymous().as(body.token).presence(body.user_id)).status).to.equal(200)
    })

    it('knows a name again, however it is spaced and written', async () => {
      const name = newName()
      const first = await signedIn(name)

      const again = await signedIn(`  ${name.toUpperCase().replace(' ', '   ')} `)
      const another = await signedIn()

      expect(again).to.include({ user_id: first.user_id, name })
      expect(another.user_id).not.to.equal(first.user_id)
    })

    it('makes one user of a name that signs in many times at once', async () => {
      const name = newName()

      const ids = await Promise.all(Array.from({ length: 5 }, async () => (await signedIn(name)).user_id))

      expect(new Set(ids).size).to.equal(1)
    })

    it('takes names of any script', async () => {
      for (const name of ['Łukasz', 'Σωκράτης', '李小龍', "O'Brien-Смит 2", 'é'])
        expect((await anonymous().signInToDemo(name)).status, name).to.equal(200)
    })

    it('refuses what is no name', async () => {
      const wrong = ['', '   ', '---', 'a'.repeat(41), 'a\u0000b', 'a\u202eb', 'a\u200bb', 7, null]
      for (const name of wrong) {
        const { status, error } = await anonymous().signInToDemo(name as string)
        expect([status, error?.code, error?.details?.field], String(name)).to.deep.equal([
          400,
          'INVALID_REQUEST',
          'name',
        ])
      }
      const noBody = await anonymous().request('POST', '/api/v1/demo/sign-in')
      expect(noBody.status).to.equal(415)
    })

    it('is limited by where it comes from', async () => {
      const answers = []
      for (let sent = 0; sent < 4; sent++) answers.push(await anonymous(2).signInToDemo(newName()))

      expect(answers.map(({ status }) => status)).to.deep.equal([200, 200, 429, 429])
      expect(answers[3]?.error?.code).to.equal('RATE_LIMITED')
      expect(Number(answers[3]?.headers.get('retry-after'))).to.be.within(1, 60)
      const elsewhere = await anonymous(2).request('POST', '/api/v1/demo/sign-in', {
        body: { name: newName() },
        // As the edge says it.
        headers: { 'x-forwarded-for': '192.0.2.7' },
      })
      expect(elsewhere.status).to.equal(200)
    })
  })

  describe('GET /demo/users', () => {
    it('lists who has signed in, with their presence', async () => {
      const [viewer, other] = [await signedIn(), await signedIn()]
      const find = async (id: string) => (await viewer.api.demoUsers()).body.users.find(({ user_id }) => user_id === id)

      expect(await find(other.user_id)).to.deep.equal({
        user_id: other.user_id,
        name: other.name,
        status: 'offline',
        in_call: false,
        last_seen: null,
      })
      expect(await find(viewer.user_id)).to.include({ name: viewer.name })

      const channel = await openChannel(cluster, { id: other.user_id, token: other.token, api: other.api })
      await eventually(async () => expect(await find(other.user_id)).to.include({ status: 'online' }))
      const { body: call } = await viewer.api.initiate({ caller_id: viewer.user_id, callee_id: other.user_id })
      expect(await find(other.user_id)).to.include({ in_call: true })
      expect(await find(viewer.user_id)).to.include({ in_call: true })
      await viewer.api.end(call.call_id)
      expect(await find(other.user_id)).to.include({ in_call: false })
      await channel.close()
    })

    it('leaves out who does not want to be seen, but for himself', async () => {
      const [viewer, shy] = [await signedIn(), await signedIn()]
      await shy.api.setPresence({ status: 'online', visibility: 'contacts' })
      const ids = async ({ api }: { api: ApiClient }) =>
        (await api.demoUsers()).body.users.map(({ user_id }) => user_id)

      expect(await ids(viewer)).not.to.include(shy.user_id)
      expect(await ids(shy)).to.include(shy.user_id)
    })

    it('knows nobody whom another door has let in, and needs a token', async () => {
      const viewer = createUser(cluster.api(0).url, cluster.jwtSecret, { iss: 'the demo' })

      const { body } = await viewer.api.demoUsers()

      expect(body.users.map(({ user_id }) => user_id)).not.to.include(viewer.id)
      expect((await anonymous().demoUsers()).error?.code).to.equal('UNAUTHORIZED')
    })
  })

  describe('the page', () => {
    it('is asked for each time, its files are kept for ever', async () => {
      const document = await anonymous().request('GET', '/')

      expect(document.status).to.equal(200)
      expect(document.headers.get('content-type')).to.equal('text/html; charset=utf-8')
      expect(document.headers.get('cache-control')).to.equal('no-cache')
      const files = [...document.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => file ?? '')
      expect(files.length).to.be.at.least(3)
      for (const file of files) {
        expect(file).to.match(/^\/assets\/[\w.-]+-[\w-]{8}\.(js|css|svg)$/)
        const { status, headers } = await anonymous().request('GET', file)
        expect(status, file).to.equal(200)
        expect(headers.get('cache-control')).to.equal('public, max-age=31536000, immutable')
        expect(headers.get('content-encoding')).to.equal('gzip')
        expect(headers.get('vary')).to.match(/Accept-Encoding/)
      }
    })

    it('loads nothing from elsewhere, and nothing that was not built', async () => {
      const { headers, text } = await anonymous().request('GET', '/')

      const policy = headers.get('content-security-policy') ?? ''
      expect(policy).to.match(/^default-src 'none';script-src 'self';style-src 'self';/)
      expect(policy).to.contain(`connect-src 'self' ${cluster.env.PUBLIC_URL?.replace('http', 'ws')};`)
      expect(policy).not.to.match(/unsafe|\*/)
      expect(headers.get('permissions-policy')).to.contain('camera=(self), microphone=(self)')
      expect(text).not.to.match(/https?:|<script>|<style|\sstyle=|\son\w+=/)
    })

    it('is sent plain to whom gzip means nothing', async () => {
      const response = await fetch(anonymous().baseUrl, { headers: { 'accept-encoding': 'identity' } })

      expect(response.headers.get('content-encoding')).to.equal(null)
      expect(await response.text()).to.match(/^<!doctype html>/)
    })

    it('leads nowhere else', async () => {
      for (const path of ['/assets/', '/assets/nothing.js', '/assets/..%2findex.html', '/index.html', '/main.tsx']) {
        const { status, error } = await anonymous().request('GET', path)
        expect([status, error?.code], path).to.deep.equal([404, 'NOT_FOUND'])
      }
      expect((await anonymous().request('POST', '/')).status).to.equal(405)
    })
  })

  it('is not there where DEMO_ENABLED is false', async () => {
    const { token } = await signedIn()
    const file = /src="([^"]+)"/.exec((await anonymous().request('GET', '/')).text)?.[1] ?? ''

    const without = [
      await anonymous(1).signInToDemo('Ada'),
      await anonymous(1).as(token).demoUsers(),
      await anonymous(1).demoUsers(),
      await anonymous(1).request('GET', file),
    ]

    for (const { status, error } of without) expect([status, error?.code]).to.deep.equal([404, 'NOT_FOUND'])
    const root = await anonymous(1).request('GET', '/')
    expect([root.status, root.headers.get('location')]).to.deep.equal([302, '/docs/'])
  })

  describe('in production', () => {
    const start = (process_: string, env: Record<string, string>) =>
      spawnSync(process.execPath, [join('dist', process_, 'main.js')], {
        env: { PATH: process.env.PATH, DEMO_ENABLED: 'true', ...env },
        encoding: 'utf8',
        timeout: 15_000,
      })

    for (const process_ of ['api', 'gateway', 'worker', 'migrations'])
      it(`is refused by ${process_}, in one sentence`, () => {
        const { status, stdout, stderr } = start(process_, { NODE_ENV: 'production', JWT_SECRET: 's'.repeat(32) })

        expect(status).to.equal(1)
        expect(stdout).to.equal('')
        expect(stderr).to.match(/^DEMO_ENABLED must not be true in production: [^\n]*\.\n$/)
      })

    it('is refused in development, too, where tokens are signed elsewhere', () => {
      const { status, stderr } = start('api', { JWKS_URL: 'https://auth.example.com/keys' })

      expect(status).to.equal(1)
      expect(stderr).to.match(/^DEMO_ENABLED needs JWT_SECRET: [^\n]*\.\n$/)
    })
  })
})
