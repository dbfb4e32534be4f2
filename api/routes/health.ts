/** Health over HTTP (contract, "Health Check"), for people and outside monitors; orchestrators use the internal probes. */
import { Router } from 'express'
import { SERVICE_VERSION } from '../../core/platform/service-version.ts'
import type { HealthResponse } from '../../core/protocol/http.ts'
import { BASE_PATH } from '../base-path.ts'
import { checkHealth } from '../health-checks.ts'
import type { ApiServices } from '../services.ts'

export function healthRoutes({ platform, rooms }: ApiServices): Router {
  const router = Router({ caseSensitive: true })
  for (const base of ['', BASE_PATH]) {
    // Liveness: no dependency is touched.
    router.route(`${base}/health`).get((_request, response) => {
      response.json(healthOf('healthy'))
    })
    router.route(`${base}/health/detailed`).get(async (_request, response) => {
      const { status, checks } = await checkHealth(platform, rooms)
      response.status(status === 'unhealthy' ? 503 : 200).json({ ...healthOf(status), checks })
    })
  }
  return router
}

function healthOf(status: HealthResponse['status']): HealthResponse {
  return {
    status,
    service: 'calling',
    version: SERVICE_VERSION,
    timestamp: new Date().toISOString(),
    uptime: formatUptime(process.uptime()),
  }
}

/** `2h30m15s`, as the contract writes it; leading units that are zero are left out. */
export function formatUptime(uptimeSeconds: number): string {
  const whole = Math.floor(uptimeSeconds)
  const [hours, minutes, seconds] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60]
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`
}
