/** All endpoints of the contract. */
import type { Service } from '../service.ts'
import { TICKET_TTL_MS } from '../tickets.ts'
import { callRoutes } from './call-routes.ts'
import { ok, type Route } from './route.ts'
import { presenceRoutes, userRoutes } from './user-routes.ts'

export function routesOf(service: Service): Route[] {
  return [...callRoutes(service), ...userRoutes(service), ...presenceRoutes(service), ...otherRoutes(service)]
}

function otherRoutes(service: Service): Route[] {
  const { clock } = service
  const startedAt = clock.now()
  const health = () => {
    const seconds = Math.floor((clock.now() - startedAt) / 1000)
    const uptime = `${Math.floor(seconds / 60)}m${seconds % 60}s`
    return { status: 'healthy', service: 'calling', version: '1.0.0', timestamp: clock.iso(), uptime }
  }
  const check = (message: string) => ({ status: 'healthy', message, duration: '0.1ms' })
  const checks = {
    database: check('Everything is in memory'),
    redis: check('Everything is in memory'),
    webrtc: { status: 'healthy', message: 'WebRTC components are ready' },
  }
  return [
    {
      method: 'POST',
      path: '/api/v1/ws-ticket',
      needsToken: true,
      handle: ({ identity }) => {
        const headers = service.limits.ticket.take(identity.userId)
        const { ticket, expiresAtMs } = service.tickets.make(identity)
        const body = { ticket, expires_at: clock.iso(expiresAtMs), ttl_seconds: TICKET_TTL_MS / 1000 }
        return { status: 201, body, headers }
      },
    },
    {
      method: 'GET',
      path: '/api/v1/webrtc/ice-servers',
      needsToken: true,
      handle: () => ok({ iceServers: service.iceServers, ttl_seconds: 3600 }),
    },
    ...['', '/api/v1'].flatMap((prefix): Route[] => [
      { method: 'GET', path: `${prefix}/health`, needsToken: false, handle: () => ok(health()) },
      {
        method: 'GET',
        path: `${prefix}/health/detailed`,
        needsToken: false,
        handle: () => ok({ ...health(), checks }),
      },
    ]),
  ]
}
