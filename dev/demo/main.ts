// `make demo`: makes a call through the cluster that `make up` started in this checkout. Ends with 0 if all of it worked.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ClusterDescription } from '../cluster/description.ts'
import { findSupervisor } from '../cluster/supervisor-lock.ts'
import { mintToken, readTokenKey } from '../cluster/token-key.ts'
import { UserError } from '../cluster/user-error.ts'
import { type DemoOptions, runDemo } from './demo.ts'
import { stopLibdatachannel } from './libdatachannel-connection.ts'

const runDir = join(dirname(dirname(import.meta.dirname)), '.run')

function runningCluster(): Pick<DemoOptions, 'apiUrl' | 'gatewayUrls' | 'groupPorts' | 'mintToken'> {
  if (!findSupervisor(runDir)) throw new UserError('No cluster runs here. Start one with "make up".')
  const key = readTokenKey(runDir)
  if (!key) throw new UserError('The tokens of this cluster come from an auth service, the demo cannot make any.')
  const { edge, api, gateways, groups } = JSON.parse(
    readFileSync(join(runDir, 'cluster.json'), 'utf8'),
  ) as ClusterDescription
  const origin = (port: number | undefined) => `http://127.0.0.1:${port}`
  const edgeUrl = edge?.ca ? `https://localhost:${edge.port}` : origin(edge?.port ?? api[0]?.port)
  const gatewayUrls = gateways.filter(({ pid }) => pid !== null).map(({ port }) => origin(port))
  return {
    apiUrl: edgeUrl,
    // Two gateways, or whatever the edge has.
    gatewayUrls: gatewayUrls.length > 1 && groups.length === 0 ? gatewayUrls : [edgeUrl],
    groupPorts: groups.map(({ url }) => new URL(url).port),
    mintToken: (user) => mintToken(key, { user }),
  }
}

const relayOnly = Boolean(process.env.RELAY) && process.env.RELAY !== '0'
try {
  const startedAt = performance.now()
  await runDemo({ ...runningCluster(), relayOnly, print: (line) => console.log(line) })
  console.log(`done in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
} catch (error) {
  console.error(error instanceof UserError ? error.message : `The demo failed: ${(error as Error).message}`)
  process.exitCode = 1
} finally {
  stopLibdatachannel()
  // werift (0.24.4) keeps a timer for minutes after a relayed connection is closed.
  if (relayOnly) process.exit()
}
