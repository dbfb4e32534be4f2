// A Prometheus on the configuration of observability/, reading the processes of one cluster.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parse, stringify } from 'yaml'
import type { ClusterDescription } from './description.ts'
import { findFreePort } from './ports.ts'
import { type ProcessHome, SupervisedProcess } from './supervised-process.ts'
import { findTool, PROMETHEUS } from './tools.ts'
import { GiveUp, waitUntil } from './wait-until.ts'

const folder = join(dirname(dirname(import.meta.dirname)), 'observability', 'prometheus')
const READY_DEADLINE_MS = 20_000
const STOP_DEADLINE_MS = 10_000

export interface RunningPrometheus {
  port: number
  /** `http://127.0.0.1:port`. */
  url: string
  stop(): Promise<void>
}

interface Settings {
  /** A free one where it is left out. */
  port?: number
  /** Between two readings, and between two evaluations of the rules; as in the configuration where it is left out. */
  intervalSeconds?: number
}

interface Configuration {
  global: Record<string, string>
  rule_files: string[]
  scrape_configs: { job_name: string; dns_sd_configs?: unknown; static_configs?: unknown }[]
}

/** Starts one and waits until it answers; `stop` it before the cluster. @throws where it is not to be had */
export async function startPrometheus(
  cluster: ClusterDescription,
  home: ProcessHome,
  { port, intervalSeconds }: Settings = {},
): Promise<RunningPrometheus> {
  const tool = await findTool(PROMETHEUS, (line) => home.log?.('prometheus', line))
  const own = port ?? (await findFreePort())
  const dataFolder = join(home.runDir, 'prometheus')
  mkdirSync(dataFolder, { recursive: true })
  const config = join(home.runDir, 'prometheus.yml')
  writeRules(join(home.runDir, 'rules'), intervalSeconds)
  writeFileSync(config, configure(cluster, own, intervalSeconds))
  const args = [
    `--config.file=${config}`,
    `--storage.tsdb.path=${dataFolder}`,
    '--storage.tsdb.retention.time=15d',
    `--web.listen-address=127.0.0.1:${own}`,
    '--log.level=warn',
  ]
  const spec = { name: 'prometheus', command: tool.path, args, env: { ...process.env, ...tool.env } }
  const supervised = new SupervisedProcess(spec, home)
  const url = `http://127.0.0.1:${own}`
  const stop = async () => {
    await supervised.stop(STOP_DEADLINE_MS)
    await supervised.close()
  }
  supervised.start()
  try {
    await waitUntil('prometheus was not ready', READY_DEADLINE_MS, async () => {
      if (supervised.hasFailed) throw new GiveUp(`it ended (${supervised.lastExitReason})\n${supervised.lastLines}`)
      const response = await fetch(`${url}/-/ready`)
      if (!response.ok) throw new Error(`/-/ready said ${response.status}`)
    })
  } catch (error) {
    await stop()
    throw error
  }
  supervised.keepRunning()
  return { port: own, url, stop }
}

/** The committed rules, at the wanted pace: groups have intervals of their own. */
function writeRules(into: string, intervalSeconds: number | undefined): void {
  rmSync(into, { recursive: true, force: true })
  mkdirSync(into, { recursive: true })
  for (const file of readdirSync(join(folder, 'rules'))) {
    const text = readFileSync(join(folder, 'rules', file), 'utf8')
    const paced = intervalSeconds === undefined ? text : text.replace(/^( *interval: )\S+$/gm, `$1${intervalSeconds}s`)
    writeFileSync(join(into, file), paced)
  }
}

/** The committed configuration, with this cluster's ports in the place of names. */
function configure(cluster: ClusterDescription, own: number, intervalSeconds: number | undefined): string {
  const config = parse(readFileSync(join(folder, 'prometheus.yml'), 'utf8')) as Configuration
  const ports: Record<string, number[]> = {
    api: cluster.api.map(({ metrics_port }) => metrics_port),
    gateway: cluster.gateways.map(({ metrics_port }) => metrics_port),
    worker: cluster.workers.map(({ metrics_port }) => metrics_port),
    edge: cluster.edge ? [cluster.edge.metrics_port] : [],
    prometheus: [own],
  }
  if (intervalSeconds !== undefined)
    for (const name of ['scrape_interval', 'evaluation_interval']) config.global[name] = `${intervalSeconds}s`
  for (const job of config.scrape_configs) {
    const own = ports[job.job_name]
    if (own === undefined) throw new Error(`observability/prometheus/prometheus.yml knows a job ${job.job_name}`)
    job.dns_sd_configs = undefined
    job.static_configs = [{ targets: own.map((port) => `127.0.0.1:${port}`) }]
  }
  return stringify(config)
}
