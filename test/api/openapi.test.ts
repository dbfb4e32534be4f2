import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import type { Express, Router } from 'express'
import { createApiServer } from '../../api/server.ts'
import { createServices } from '../../api/services.ts'
import { createPlatform } from '../../core/context.ts'
import { loadConfig } from '../../core/platform/config.ts'
import { SERVICE_VERSION } from '../../core/platform/service-version.ts'
import { ERRORS } from '../../core/protocol/errors.ts'
import { assertDocumented, assertMatchesAt, openApiDocument, operations } from '../support/openapi-contract.ts'

/** Every route of the application, from Express itself. */
function routesOf(app: Express): string[] {
  const routers = (app.router.stack as unknown as { handle: Router }[]).map((layer) => layer.handle)
  return routers
    .flatMap((router) => router.stack ?? [])
    .flatMap(({ route }) => (route === undefined ? [] : [route]))
    .flatMap((route) => {
      const methods = new Set(route.stack.map((layer) => layer.method).filter((method) => method !== undefined))
      return [...methods].map((method) => `${method.toUpperCase()} ${route.path.replace(/:(\w+)/g, '{$1}')}`)
    })
}

describe('the OpenAPI document', () => {
  it('has every route of the application, and no other', async () => {
    const platform = createPlatform(loadConfig('api', { JWT_SECRET: 's', LOG_LEVEL: 'silent', DEMO_ENABLED: 'true' }))
    const app = createApiServer(createServices(platform), new URL('../../dist/web/', import.meta.url))
    platform.redis.disconnect()
    await platform.db.destroy()

    const routes = routesOf(app).filter((route) => !/^GET \/(docs.*|assets\/\{file\})?$/.test(route))

    expect(routes).to.have.members(operations().map(({ method, path }) => `${method} ${path}`))
    expect(routes.length).to.be.greaterThan(10)
  })

  it('has every error code of the contract, and no other', () => {
    const components = openApiDocument().components as { schemas: { ErrorCode: { enum: string[] } } }

    expect(components.schemas.ErrorCode.enum).to.have.members(Object.keys(ERRORS))
  })

  it('has the version of the package, as /health has', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }

    expect((openApiDocument().info as { version: string }).version).to.equal(version)
    expect(SERVICE_VERSION).to.equal(version)
  })

  it('has examples that are what it says', () => {
    let checked = 0
    walk(openApiDocument(), '', (node, pointer) => {
      if (node.schema === undefined || !pointer.includes('/content/')) return
      const named = Object.values((node.examples ?? {}) as Record<string, { value: unknown }>)
      const examples = [...('example' in node ? [node.example] : []), ...named.map(({ value }) => value)]
      for (const example of examples) assertMatchesAt(`${pointer}/schema`, example)
      checked += examples.length
    })

    expect(checked).to.be.greaterThan(25)
  })

  it('names for every operation all that any operation may answer', () => {
    for (const { method, path, responses } of operations()) {
      const isPublic = path.includes('/health')
      const isSignIn = path.endsWith('/demo/sign-in')
      const ofUsers = [...(isSignIn ? [] : ['401']), '429', '500', '503']
      const expected = isPublic ? ['200', '500'] : ofUsers
      expect(Object.keys(responses), `${method} ${path}`).to.include.members(expected)
    }
  })

  it('is what tests are really held to', () => {
    const answer = { method: 'GET', path: '/health', headers: new Headers({ 'x-request-id': crypto.randomUUID() }) }
    const body = {
      status: 'healthy',
      service: 'calling',
      version: '1',
      timestamp: '2024-01-01T12:00:00Z',
      uptime: '1s',
    }

    expect(() => assertDocumented({ ...answer, status: 200, body })).not.to.throw()
    expect(() => assertDocumented({ ...answer, status: 202, body })).to.throw(/does not know/)
    expect(() => assertDocumented({ ...answer, status: 200, body: { ...body, extra: 1 } })).to.throw(/additional/)
    expect(() => assertDocumented({ ...answer, status: 200, body: { ...body, uptime: 'long' } })).to.throw(/uptime/)
    expect(() => assertDocumented({ ...answer, headers: new Headers(), status: 200, body })).to.throw(/X-Request-Id/)
  })
})

function walk(node: unknown, pointer: string, visit: (node: Record<string, unknown>, pointer: string) => void): void {
  if (typeof node !== 'object' || node === null) return
  if (!Array.isArray(node)) visit(node as Record<string, unknown>, pointer)
  for (const [key, member] of Object.entries(node))
    walk(member, `${pointer}/${encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'))}`, visit)
}
