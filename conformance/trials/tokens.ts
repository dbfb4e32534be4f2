/** Tokens that are taken and tokens that must not be. */
import assert from 'node:assert/strict'
import type { Bench } from '../bench.ts'
import { Refused, TRANSPORTS } from '../drivers/connection.ts'
import { assertError } from '../shapes.ts'
import { trial } from '../trial.ts'
import type { User } from '../users.ts'

const activeOf = (user: User) => `/api/v1/calls/user/${user.id}/active`

async function assertRefusedEverywhere(bench: Bench, user: User, token: string, what: string): Promise<void> {
  const answer = await bench.rest.request({ id: user.id, token }, 'GET', activeOf(user))
  assert.deepEqual([answer.status, answer.body.error?.code], [401, 'UNAUTHORIZED'], `${what}: ${answer.text}`)
  for (const transport of TRANSPORTS) {
    const opened = await bench.connect(transport, user, { token }).catch((error: unknown) => error)
    assert.ok(opened instanceof Refused, `${what}: ${transport} took it`)
    assert.equal(opened.code, 'UNAUTHORIZED', `${what}, ${transport}`)
  }
}

const PATHS: [string, string][] = [
  ['POST', '/api/v1/calls/initiate'],
  ['PUT', '/api/v1/calls/{call}/answer'],
  ['DELETE', '/api/v1/calls/{call}'],
  ['GET', '/api/v1/calls/{call}/status'],
  ['GET', '/api/v1/calls/user/{user}/active'],
  ['GET', '/api/v1/calls/user/{user}/history'],
  ['GET', '/api/v1/presence/status/{user}'],
  ['PUT', '/api/v1/presence/status'],
  ['GET', '/api/v1/presence/check/{user}'],
]

trial('authentication', 'every endpoint asks for a token', async (bench) => {
  const user = await bench.user()
  for (const [method, path] of PATHS) {
    const full = path.replace('{call}', '00000000-0000-4000-8000-000000000000').replace('{user}', user.id)
    assertError(await bench.rest.request(undefined, method, full), 401, 'UNAUTHORIZED')
  }
})

trial('authentication', 'a token that is no token is UNAUTHORIZED at every entry point', async (bench) => {
  const user = await bench.user()
  for (const token of ['nonsense', 'a.b.c', `${user.token}x`, user.token.replace(/\.[^.]*$/, '.')])
    await assertRefusedEverywhere(bench, user, token, token.slice(0, 20))
})

trial(
  'authentication',
  'claims and algorithms that must not pass are refused at every entry point',
  ['secret'],
  async (bench) => {
    const user = await bench.user()
    const now = Math.floor(Date.now() / 1000)
    const bad: Record<string, string> = {
      expired: bench.mint({ sub: user.id, exp: now - 60 }),
      'without exp': bench.mint({ sub: user.id, exp: null }),
      'without sub': bench.mint({}),
      'sub is no UUID': bench.mint({ sub: 'somebody' }),
      'not valid yet': bench.mint({ sub: user.id, nbf: now + 600 }),
      'alg none': bench.mint({ sub: user.id }, { alg: 'none' }),
      'an extension that must be understood (RFC 7515, 4.1.11)': bench.mint({ sub: user.id }, { crit: ['x'], x: 1 }),
    }
    for (const [what, token] of Object.entries(bad)) await assertRefusedEverywhere(bench, user, token, what)
  },
)

trial(
  'authentication',
  'a backend with calls:manage acts for any user over REST, and opens no call connection for one',
  ['secret'],
  async (bench) => {
    const [caller, callee, backend] = await bench.trio()
    const manager = bench.as(backend, { scope: 'calls:manage' })
    const body = { caller_id: caller.id, callee_id: callee.id, call_type: 'voice' }
    const made = await bench.rest.request(manager, 'POST', '/api/v1/calls/initiate', { body })
    assert.equal(made.status, 201, made.text)
    assert.equal((await bench.rest.status(manager, made.body.call_id)).status, 200)
    const opened = await bench
      .connect('raw WebSocket', manager, { callId: made.body.call_id })
      .catch((error: unknown) => error)
    const over = await bench.rest.request(manager, 'DELETE', `/api/v1/calls/${made.body.call_id}`, {
      body: { user_id: caller.id },
    })
    assert.ok(opened instanceof Refused && opened.code === 'FORBIDDEN')
    assert.equal(over.status, 200, over.text)
  },
)

trial('authentication', 'a token of 16 KB is taken at every entry point', ['secret'], async (bench) => {
  const user = await bench.user()
  const large = bench.as(user, { groups: 'x'.repeat(12_000) })
  assert.equal((await bench.rest.active(large)).status, 200)
  for (const transport of TRANSPORTS) (await bench.connect(transport, large)).close()
})
