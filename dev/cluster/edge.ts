// Runs the HAProxy edge of a cluster on the template of edge/, and reloads it without losing a connection.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { get as httpGet } from 'node:http'
import { get as httpsGet } from 'node:https'
import { dirname, join } from 'node:path'
import { metricsFrontend } from '../../edge/metrics-frontend.ts'
import { type EdgeServer, maxConnectionsFor, renderEdge } from '../../edge/render.ts'
import type { SourceLimits } from '../../edge/source-limits.ts'
import { type Certificate, makeCertificate } from './certificates.ts'
import { findFreePort, loopbackAddresses } from './ports.ts'
import { type ProcessHome, SupervisedProcess } from './supervised-process.ts'
import { findTool, HAPROXY } from './tools.ts'
import { GiveUp, waitUntil } from './wait-until.ts'

const template = join(dirname(dirname(import.meta.dirname)), 'edge', 'haproxy.cfg.template')

const RELOAD_DEADLINE_MS = 10_000
const ASK_AGAIN_MS = 3_000
const CHECK_DEADLINE_MS = 2_000
/** What the master prints when a new worker serves, and when it keeps the old one. */
const LOADED = 'Loading success'
const NOT_LOADED = 'Loading failure'

export interface EdgeServers {
  apis: EdgeServer[]
  gateways: EdgeServer[]
}

interface EdgeOptions {
  port: number
  /** Serves HTTPS and WSS with a certificate of its own making. */
  tls: boolean
  /** See {@link HARD_STOP_SECONDS} of edge/render.ts. */
  hardStopSeconds?: number
  /** Whose pages may read what the edge answers itself, as `CORS_ORIGINS` has it; everybody's by default. */
  origins?: string[]
  /** What one source may occupy; see {@link SourceLimits}. */
  sourceLimits?: SourceLimits
  /** Connections that it holds at most; as many as the limit of open files allows by default. */
  maxConnections?: number
  /** Names the process and its configuration; several edges of one cluster differ in it. */
  name?: string
}

/** One HAProxy: a master, and a worker that serves. */
export class Edge {
  readonly process: SupervisedProcess
  readonly port: number
  /** Where HAProxy's own metrics are served. */
  readonly metricsPort: number
  readonly certificate: Certificate | undefined
  readonly #options: EdgeOptions
  readonly #config: string
  readonly #loads: { succeeded: number; failed: number }

  private constructor(
    options: EdgeOptions & { metricsPort: number },
    certificate: Certificate | undefined,
    config: string,
    [supervised, loads]: [SupervisedProcess, { succeeded: number; failed: number }],
  ) {
    this.#options = options
    this.port = options.port
    this.metricsPort = options.metricsPort
    this.certificate = certificate
    this.#config = config
    this.process = supervised
    this.#loads = loads
  }

  /** Writes the configuration into the run folder and makes the process; the caller starts it. */
  static async create(options: EdgeOptions, servers: EdgeServers, home: ProcessHome): Promise<Edge> {
    const { name = 'edge', tls } = options
    const tool = await findTool(HAPROXY, (line) => home.log?.(name, line))
    const names = ['DNS:localhost', 'IP:127.0.0.1', 'IP:::1']
    const certificate = tls ? await makeCertificate(join(home.runDir, 'tls'), names) : undefined
    const config = join(home.runDir, name === 'edge' ? 'haproxy.cfg' : `haproxy-${name}.cfg`)
    const loads = { succeeded: 0, failed: 0 }
    const log: ProcessHome['log'] = (from, line) => {
      if (line.includes(LOADED)) loads.succeeded += 1
      if (line.includes(NOT_LOADED)) loads.failed += 1
      home.log?.(from, line)
    }
    // "-W": a master that keeps the listeners open while it replaces the worker. "-db": in the foreground.
    const spec = { name, command: tool.path, args: ['-W', '-db', '-f', config], env: { ...process.env, ...tool.env } }
    const ported = { ...options, metricsPort: await findFreePort() }
    const edge = new Edge(ported, certificate, config, [new SupervisedProcess(spec, { ...home, log }), loads])
    edge.#configure(servers)
    return edge
  }

  /** The file of the authority behind its certificate; null where it has none. */
  get ca(): string | null {
    return this.certificate?.ca ?? null
  }

  /** Where clients connect. */
  get url(): string {
    return `${this.#options.tls ? 'https' : 'http'}://127.0.0.1:${this.port}`
  }

  #configure(servers: EdgeServers): void {
    const { hardStopSeconds, sourceLimits, origins = ['*'] } = this.#options
    const { port, metricsPort, certificate } = this
    // No strict transport: browsers would hold every other service on localhost to it.
    const tls = certificate ? { certificate: certificate.both, strictTransportSeconds: 0 } : undefined
    const bind = loopbackAddresses()
      .map((address) => (address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`))
      .join(',')
    const { maxConnections = maxConnectionsFor(openFileLimit()) } = this.#options
    const settings = { bind, maxConnections, origins, ...(sourceLimits ? { sourceLimits } : {}) }
    const text = readFileSync(template, 'utf8')
    const metrics = metricsFrontend(`127.0.0.1:${metricsPort}`)
    writeFileSync(this.#config, renderEdge(text, { ...settings, ...servers, tls, hardStopSeconds }) + metrics)
  }

  /**
   * Serves with another list of servers, or with a certificate that has changed. No request fails of it; WebSockets
   * stay in the old worker until they end, or for `hardStopSeconds`.
   * @throws where HAProxy refuses the configuration; the old worker serves on then
   */
  async reload(servers: EdgeServers): Promise<void> {
    this.#configure(servers)
    const { succeeded, failed } = this.#loads
    let askedAt = Number.NEGATIVE_INFINITY
    await waitUntil('the edge did not load its configuration', RELOAD_DEADLINE_MS, async () => {
      if (this.#loads.failed > failed) throw new GiveUp(`HAProxy refused it\n${this.process.lastLines}`)
      if (this.#loads.succeeded > succeeded) return
      // A master that just loads may miss the signal (2.6.12, seen once); to load twice harms nobody.
      if (performance.now() - askedAt > ASK_AGAIN_MS) {
        askedAt = performance.now()
        await this.process.kill('SIGUSR2')
      }
      throw new Error('no new worker yet')
    })
  }

  /** @throws with the reason while it does not lead to an API */
  async checkReady(): Promise<void> {
    const status = await statusOf(`${this.url}/health`, this.ca)
    if (status !== 200) throw new Error(`/health said ${status}`)
  }
}

/** The status of a GET; `ca` is the file of the authority to trust. Node's fetch takes none of one's own. */
export function statusOf(url: string, ca: string | null, deadlineMs = CHECK_DEADLINE_MS): Promise<number> {
  return new Promise((resolve, reject) => {
    const onResponse = (response: { statusCode?: number; resume(): unknown }) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    }
    const request =
      ca === null
        ? httpGet(url, { agent: false }, onResponse)
        : httpsGet(url, { ca: readFileSync(ca), agent: false }, onResponse)
    request.setTimeout(deadlineMs, () => request.destroy(new Error('no answer')))
    request.once('error', reject)
  })
}

/** HAProxy raises its soft limit up to the hard one by itself, and refuses to start when that is not enough. */
function openFileLimit(): number {
  const limit = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim()
  // macOS says "unlimited" and then enforces kern.maxfilesperproc, 10240 on small machines.
  const wanted = limit === 'unlimited' ? 1_000_000 : Number(limit)
  return process.platform === 'darwin' ? Math.min(wanted, 10_240) : wanted
}
