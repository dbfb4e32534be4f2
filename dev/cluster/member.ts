// One product process of a cluster: a gateway, an API or a worker on ports that stay the same over its restarts.
import { findFreePort } from './ports.ts'
import { type ProcessHome, SupervisedProcess } from './supervised-process.ts'

export type Role = 'api' | 'gateway' | 'worker'

/** What others may know about a product process. */
export interface Member {
  readonly role: Role
  /** gateway-1, api-1, worker-1 and so on. */
  readonly name: string
  /** Null while it is down. */
  readonly pid: number | null
  /** Where clients are served; 0 for a worker, which has none. */
  readonly port: number
  /** The internal listener: /health/live, /health/ready, /metrics. */
  readonly metricsPort: number
  /** `http://127.0.0.1:port`. */
  readonly url: string
}

/** How a role is told the port of its clients. */
const PORT_VARIABLE = { api: 'API_PORT', gateway: 'GATEWAY_PORT', worker: undefined } as const

/** A product process and its supervision. */
export class MemberProcess implements Member {
  readonly role: Role
  readonly name: string
  readonly port: number
  readonly metricsPort: number
  readonly process: SupervisedProcess

  private constructor(role: Role, name: string, ports: [number, number], supervised: SupervisedProcess) {
    this.role = role
    this.name = name
    this.port = ports[0]
    this.metricsPort = ports[1]
    this.process = supervised
  }

  /** Chooses its ports; the caller starts it. */
  static async create(
    role: Role,
    index: number,
    { script, env, home }: { script: string; env: Record<string, string>; home: ProcessHome },
  ): Promise<MemberProcess> {
    const name = `${role}-${index + 1}`
    const variable = PORT_VARIABLE[role]
    const port = variable ? await findFreePort() : 0
    const metricsPort = await findFreePort()
    const supervised = new SupervisedProcess(
      {
        name,
        command: process.execPath,
        args: [script],
        env: {
          ...env,
          ...(variable ? { [variable]: String(port) } : {}),
          METRICS_PORT: String(metricsPort),
          NODE_NAME: name,
        },
      },
      home,
    )
    return new MemberProcess(role, name, [port, metricsPort], supervised)
  }

  get pid(): number | null {
    return this.process.pid
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** @throws with the reason while it is not ready */
  async checkReady(): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${this.metricsPort}/health/ready`, {
      signal: AbortSignal.timeout(2_000),
    })
    const body = await response.text()
    if (!response.ok) throw new Error(`/health/ready said ${response.status} ${body}`)
  }
}
