/** The services of docker-compose.yml, running for one trial under a project name of their own. */
import { randomBytes } from 'node:crypto'
import { dirname } from 'node:path'
import { findFreePort } from '../../dev/cluster/ports.ts'
import { eventually } from '../support/eventually.ts'
import type { Engine } from './engine.ts'

const root = dirname(dirname(import.meta.dirname))
const READY_DEADLINE_MS = 180_000

export interface Container {
  id: string
  service: string
  /** `running`, `exited` and so on. */
  state: string
  /** `healthy`, `unhealthy`, `starting`, or nothing where it has no check. */
  health: string
  exitCode: number
  restarts: number
  /** ISO; long ago while it runs. */
  finishedAt: string
  /** On the network that the edge is in; for whoever wants one particular gateway. */
  address: string
}

export class Stack {
  readonly url: string
  readonly prometheusUrl: string
  readonly turnPort: number
  readonly #engine: Engine
  readonly #env: Record<string, string>
  readonly #project: string

  private constructor(engine: Engine, project: string, ports: { edge: number; prometheus: number; turn: number }) {
    this.#engine = engine
    this.#project = project
    this.url = `http://localhost:${ports.edge}`
    this.prometheusUrl = `http://localhost:${ports.prometheus}`
    this.turnPort = ports.turn
    this.#env = {
      PORT: String(ports.edge),
      PUBLIC_URL: this.url,
      PROMETHEUS_PORT: String(ports.prometheus),
      TURN_PORT: String(ports.turn),
      TURN_URLS: `turn:localhost:${ports.turn}?transport=udp`,
      COMPOSE_PROJECT_NAME: project,
    }
  }

  static async create(engine: Engine): Promise<Stack> {
    const ports = { edge: await findFreePort(), prometheus: await findFreePort(), turn: await findFreePort() }
    return new Stack(engine, `tchatcalling${randomBytes(4).toString('hex')}`, ports)
  }

  /** Starts these services and all that they depend on, and returns once each is well. */
  async up(services: string[]): Promise<void> {
    this.compose(['up', '-d', '--no-build', ...services])
    await eventually(() => {
      const notWell = this.containers().filter(({ state, health, exitCode }) =>
        state === 'running' ? health !== '' && health !== 'healthy' : state !== 'exited' || exitCode !== 0,
      )
      const words = notWell.map(
        ({ service, state, health, exitCode }) => `${service}: ${state} ${health} (${exitCode})`,
      )
      if (words.length > 0) throw new Error(words.join(', '))
    }, READY_DEADLINE_MS)
  }

  compose(args: string[]): string {
    return this.#engine.compose(args, { cwd: root, env: this.#env })
  }

  docker(args: string[]): string {
    return this.#engine.docker(args)
  }

  /** Every container of the project, the ones that ended included; of one service where it is named. */
  containers(service?: string): Container[] {
    const filters = [`label=com.docker.compose.project=${this.#project}`]
    if (service !== undefined) filters.push(`label=com.docker.compose.service=${service}`)
    const ids = this.docker(['ps', '--all', '--quiet', ...filters.flatMap((filter) => ['--filter', filter])])
    const list = ids.split('\n').filter((id) => id !== '')
    if (list.length === 0) return []
    return (JSON.parse(this.docker(['inspect', ...list])) as Inspected[]).map((found) => ({
      id: found.Id,
      service: found.Config.Labels['com.docker.compose.service'] ?? '',
      state: found.State.Status,
      health: found.State.Health?.Status ?? '',
      exitCode: found.State.ExitCode,
      restarts: found.RestartCount,
      finishedAt: found.State.FinishedAt,
      address: found.NetworkSettings.Networks[`${this.#project}_service`]?.IPAddress ?? '',
    }))
  }

  /** Out of the volume of a service that has this secret. */
  secret(name: string): string {
    const owner = { postgres_password: 'postgres', redis_password: 'redis' }[name] ?? 'api'
    return this.compose(['exec', '-T', owner, 'cat', `/secrets/${name}`]).trim()
  }

  logs(service: string): string {
    return this.compose(['logs', '--no-color', service])
  }

  /** Removes containers, networks and volumes. */
  down(): void {
    this.compose(['down', '--volumes', '--remove-orphans', '--timeout', '5'])
  }
}

/** The little that is read of `docker inspect`. */
interface Inspected {
  Id: string
  RestartCount: number
  Config: { Labels: Record<string, string> }
  State: { Status: string; ExitCode: number; FinishedAt: string; Health?: { Status: string } }
  NetworkSettings: { Networks: Record<string, { IPAddress: string } | undefined> }
}
