/** Health, and what a peer connection needs. */
import assert from 'node:assert/strict'
import { assertShape, detailedHealth, health } from '../shapes.ts'
import { trial } from '../trial.ts'

trial('health', 'GET /health needs no token and tells name, version and uptime', async (bench) => {
  for (const path of ['/health', '/api/v1/health']) {
    const answer = await bench.rest.request(undefined, 'GET', path)
    assert.equal(answer.status, 200)
    assertShape(health, answer.body)
  }
})

trial('health', 'GET /health/detailed tells of database, Redis and WebRTC', async (bench) => {
  for (const path of ['/health/detailed', '/api/v1/health/detailed']) {
    const answer = await bench.rest.request(undefined, 'GET', path)
    const body = assertShape(detailedHealth, answer.body)
    assert.equal(answer.status, body.status === 'unhealthy' ? 503 : 200)
  }
})

trial('ice', 'GET /webrtc/ice-servers (additive) gives servers for a peer connection', async (bench) => {
  const user = await bench.user()
  const answer = await bench.rest.request(user, 'GET', '/api/v1/webrtc/ice-servers')
  assert.equal(answer.status, 200, answer.text)
  assert.ok(Array.isArray(answer.body.iceServers))
  for (const { urls } of answer.body.iceServers) for (const url of [urls].flat()) assert.match(url, /^(stun|turn)s?:/)
  assert.ok(Number.isInteger(answer.body.ttl_seconds) && answer.body.ttl_seconds > 0)
})
