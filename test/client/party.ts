/** A user with the client library, on a gateway of the test's choice and with a WebRTC stack for Node. */
import { WebSocket } from 'ws'
import type { Call } from '../../client/call.ts'
import { CallingClient } from '../../client/calling-client.ts'
import type { CallingError } from '../../client/errors.ts'
import type { CallingClientOptions } from '../../client/options.ts'
import type { PeerConnection, SocketConstructor } from '../../client/platform.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { createUser, type TestUser } from '../support/api-client.ts'
import { eventually } from '../support/eventually.ts'
import { LibdatachannelPeerConnection } from './libdatachannel-peer-connection.ts'
import type { Ledger } from './test-connection.ts'
import { WeriftPeerConnection } from './werift-peer-connection.ts'

export interface PartyOptions extends Partial<CallingClientOptions> {
  /** Index of the gateway, another one being taken while it is down, or whatever the edge chooses. */
  gateway?: number | 'edge'
  stack?: 'werift' | 'libdatachannel'
  /** Another device of this user. */
  of?: Party
}

export interface TestConnection extends PeerConnection {
  ledger: Ledger
  openChannel(): void
  say(): void
}

const STACKS = { werift: WeriftPeerConnection, libdatachannel: LibdatachannelPeerConnection }
const parties = new Set<Party>()

export class Party {
  readonly user: TestUser
  readonly client: CallingClient
  readonly incoming: Call[] = []
  readonly errors: CallingError[] = []
  readonly #sockets = new Set<WebSocket>()

  constructor(cluster: Cluster, { gateway = 0, stack = 'werift', of, ...options }: PartyOptions = {}) {
    this.user = of?.user ?? createUser(cluster.api(0).url, cluster.jwtSecret)
    this.client = new CallingClient({
      url: cluster.url,
      token: () => this.user.token,
      // The cluster calls itself by another name than the tests do.
      origins: [`http://localhost:${new URL(cluster.url).port}`, cluster.env.PUBLIC_URL ?? cluster.url],
      iceServers: [],
      getMedia: null,
      WebSocket: this.#socketsVia(() => aliveGateway(cluster, gateway)),
      RTCPeerConnection: STACKS[stack],
      onPeerConnection: (connection, { direction }) => {
        if (direction === 'outgoing') (connection as TestConnection).openChannel()
      },
      ...options,
    })
    this.client.on('incoming', (call) => this.incoming.push(call))
    this.client.on('error', (error) => this.errors.push(error))
    parties.add(this)
  }

  static async online(cluster: Cluster, options?: PartyOptions): Promise<Party> {
    const party = new Party(cluster, options)
    await party.client.connect()
    return party
  }

  get id(): string {
    return this.user.id
  }

  /** The oldest call that came in, waited for. */
  rung(): Promise<Call> {
    return eventually(() => {
      const [call] = this.incoming
      if (call === undefined) throw new Error('It does not ring')
      return call
    })
  }

  /** Cuts every connection of this party, as a network does: no close frame. */
  cut(): void {
    for (const socket of this.#sockets) socket.terminate()
  }

  async close(): Promise<void> {
    parties.delete(this)
    await this.client.close()
  }

  #socketsVia(gateway: () => URL): SocketConstructor {
    const sockets = this.#sockets
    return class RoutedSocket extends WebSocket {
      constructor(url: string) {
        const target = new URL(url)
        target.host = gateway().host
        super(target, { perMessageDeflate: false })
        sockets.add(this)
        this.on('close', () => sockets.delete(this))
        // The client hears of it by the close.
        this.on('error', () => {})
      }
    }
  }
}

export function connectionOf(call: Call): TestConnection {
  return call.peerConnection as TestConnection
}

/** Waits until a call is in a phase. */
export function untilPhase(call: Call, phase: Call['state']['phase'], timeoutMs?: number): Promise<void> {
  return eventually(() => {
    if (call.state.phase !== phase) throw new Error(`${call.direction} is ${JSON.stringify(call.state)}, not ${phase}`)
  }, timeoutMs)
}

export async function closeParties(): Promise<void> {
  await Promise.all([...parties].map((party) => party.close().catch(() => {})))
}

function aliveGateway(cluster: Cluster, index: number | 'edge'): URL {
  if (index === 'edge') return new URL(cluster.url)
  const { gateways } = cluster.description
  const alive = [gateways[index], ...gateways].find((gateway) => gateway?.pid !== null)
  return new URL(`http://127.0.0.1:${alive?.port ?? gateways[index]?.port}`)
}
