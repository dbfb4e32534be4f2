// Runs the HAProxy edge of a cluster on the template of edge/.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { metricsFrontend } from '../../edge/metrics-frontend.ts'
import { type EdgeServer, maxConnectionsFor, renderEdge } from '../../edge/render.ts'
import { type ProcessHome, SupervisedProcess } from './supervised-process.ts'
import { findTool, HAPROXY } from './tools.ts'

const template = join(dirname(dirname(import.meta.dirname)), 'edge', 'haproxy.cfg.template')

/** Writes the configuration into the run folder and makes the process; the caller starts it. */
export async function createEdge(
  servers: { port: number; metricsPort: number; apis: EdgeServer[]; gateways: EdgeServer[] },
  home: ProcessHome,
): Promise<SupervisedProcess> {
  const tool = await findTool(HAPROXY, (line) => home.log?.('edge', line))
  const config = join(home.runDir, 'haproxy.cfg')
  const settings = {
    bind: `127.0.0.1:${servers.port}`,
    maxConnections: maxConnectionsFor(openFileLimit()),
    apis: servers.apis,
    gateways: servers.gateways,
  }
  const metrics = metricsFrontend(`127.0.0.1:${servers.metricsPort}`)
  writeFileSync(config, renderEdge(readFileSync(template, 'utf8'), settings) + metrics)
  return new SupervisedProcess(
    { name: 'edge', command: tool.path, args: ['-db', '-f', config], env: { ...process.env, ...tool.env } },
    home,
  )
}

/** HAProxy raises its soft limit up to the hard one by itself, and refuses to start when that is not enough. */
function openFileLimit(): number {
  const limit = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim()
  // macOS says "unlimited" and then enforces kern.maxfilesperproc, 10240 on small machines.
  const wanted = limit === 'unlimited' ? 1_000_000 : Number(limit)
  return process.platform === 'darwin' ? Math.min(wanted, 10_240) : wanted
}
