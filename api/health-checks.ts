/** How the parts that the service depends on are doing, each asked at the same time and never for longer than a second. */
import type { Platform } from '../core/context.ts'
import { within } from '../core/platform/redis.ts'
import type { HealthCheck, HealthResponse } from '../core/protocol/http.ts'
import type { GroupRooms } from '../core/rooms/group-rooms.ts'

/** A health page that hangs is worse than one that says "unhealthy". */
const CHECK_TIMEOUT_MS = 1_000

export interface HealthReport {
  status: HealthResponse['status']
  checks: NonNullable<HealthResponse['checks']>
}

/** Without the database nothing can be promised; without Redis or a gateway calls go on being made and ended. */
export async function checkHealth({ config, db, groupRedis }: Platform, rooms: GroupRooms): Promise<HealthReport> {
  const [database, redisCheck, webrtc] = await Promise.all([
    measured('Database connection', () => db.raw('SELECT 1')),
    measured('Redis connection', () => Promise.all(config.groups.all.map(({ name }) => groupRedis.of(name).ping()))),
    checkGateways(rooms),
  ])
  const degraded = redisCheck.status !== 'healthy' || webrtc.status !== 'healthy'
  const status = database.status !== 'healthy' ? 'unhealthy' : degraded ? 'degraded' : 'healthy'
  return { status, checks: { database, redis: redisCheck, webrtc } }
}

async function measured(subject: string, probe: () => PromiseLike<unknown>): Promise<HealthCheck> {
  const startedAt = performance.now()
  const duration = () => `${(performance.now() - startedAt).toFixed(1)}ms`
  try {
    await within(CHECK_TIMEOUT_MS, Promise.resolve(probe()))
    return { status: 'healthy', message: `${subject} is healthy`, duration: duration() }
  } catch {
    // The reason is in the log of whoever needed it; this page is public.
    return { status: 'unhealthy', message: `${subject} failed`, duration: duration() }
  }
}

/** The ICE configuration was validated when the process started; what may be missing is somebody to relay signaling. */
async function checkGateways(rooms: GroupRooms): Promise<HealthCheck> {
  try {
    const count = await within(CHECK_TIMEOUT_MS, rooms.liveNodes())
    if (count > 0) return { status: 'healthy', message: 'WebRTC components are ready' }
    return { status: 'unhealthy', message: 'No signaling gateway is live' }
  } catch {
    return { status: 'degraded', message: 'The signaling gateways cannot be asked' }
  }
}
