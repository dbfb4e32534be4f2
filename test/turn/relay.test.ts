/** TURN as a client meets it: a real coturn, credentials that the API and the gateways give, and nothing but relays. */
import { execFile } from 'node:child_process'
import { createHmac, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newUser } from '../support/calls.ts'
import { privateCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'
import { nowSeconds } from '../support/tokens.ts'
import type { RelayedCall, RelayedCallResult } from './relayed-call.ts'
import { TurnClient, type TurnCredentials, type Verdict } from './turn-client.ts'

const SECRETS = { current: `new-${randomUUID()}`, former: `old-${randomUUID()}` }

describe('TURN', () => {
  let cluster: Cluster

  before(async function () {
    this.timeout(90_000)
    const TURN_SECRET = `${SECRETS.current},${SECRETS.former}`
    cluster = await privateCluster({ turn: true, edge: false, workers: 0, env: { TURN_SECRET } })
  })
  after(() => cluster.stop())

  async function given(): Promise<TurnCredentials & { url: string }> {
    const { body } = await newUser(cluster, { device_id: 'phone' }).api.iceServers()
    const { urls = [], username = '', credential = '' } = body.iceServers.find((server) => server.credential) ?? {}
    return { url: urls[0] ?? '', username, credential }
  }

  async function allocate(change: (right: TurnCredentials) => Partial<TurnCredentials> = () => ({})): Promise<Verdict> {
    const { url, ...right } = await given()
    const client = await TurnClient.open(url)
    try {
      return await client.allocate({ ...right, ...change(right) })
    } finally {
      client.close()
    }
  }

  it('connects two WebRTC stacks through nothing but the relay, with credentials of the API', async () => {
    const { heardByCaller, heardByCallee, candidates, entry } = await callThroughRelay({
      apiUrl: cluster.url,
      gatewayUrls: [cluster.gateway(0).url, cluster.gateway(1).url],
      jwtSecret: cluster.jwtSecret,
    })

    expect([heardByCallee, heardByCaller]).to.deep.equal(['hello from the caller', 'hello from the callee'])
    const found = candidates.filter((candidate) => candidate !== '')
    expect(found).to.have.length.above(1)
    for (const candidate of found) expect(candidate).to.include(' typ relay')
    expect(entry.status).to.equal('completed')
  }).timeout(60_000)

  describe('an allocation', () => {
    it('is made with the credentials as they are', async () => {
      const { error, lifetime } = await allocate()

      expect(error).to.equal(0)
      expect(lifetime).to.be.above(0)
    })

    it('is made with the former secret as long as the server knows it', async () => {
      expect((await allocate(({ username }) => signed(username, SECRETS.former))).error).to.equal(0)
    })

    it('is refused for another secret', async () => {
      expect((await allocate(({ username }) => signed(username, 'a guess'))).error).to.equal(401)
    })

    it('is refused for a name that was changed, its expiry and its user alike', async () => {
      const later = ({ username }: TurnCredentials) => ({ username: username.replace(/^\d+/, (at) => `${+at + 3600}`) })
      const other = ({ username }: TurnCredentials) => ({ username: username.replace(/:[^:]+/, `:${randomUUID()}`) })

      expect((await allocate(later)).error).to.equal(401)
      expect((await allocate(other)).error).to.equal(401)
    })

    it('is refused for a name without an expiry, however well signed', async () => {
      expect((await allocate(() => signed(randomUUID(), SECRETS.current))).error).to.equal(401)
    })

    it('is refused when the credentials have expired, and made up to then', async () => {
      const expiring = (inSeconds: number) => () =>
        signed(`${nowSeconds() + inSeconds}:${randomUUID()}`, SECRETS.current)

      expect((await allocate(expiring(-1))).error).to.equal(401)
      expect((await allocate(expiring(30))).error).to.equal(0)
    })

    it('goes on past the end of its credentials, with which no other is made', async () => {
      const ongoing = await TurnClient.open((await given()).url)
      const credentials = signed(`${nowSeconds() + 2}:${randomUUID()}`, SECRETS.current)
      expect((await ongoing.allocate(credentials)).error).to.equal(0)

      await eventually(async () => expect((await allocate(() => credentials)).error).to.equal(401))

      expect((await ongoing.refresh(credentials)).error).to.equal(0)
      ongoing.close()
    })
  })
})

async function callThroughRelay(call: RelayedCall): Promise<RelayedCallResult> {
  const script = join(import.meta.dirname, 'relayed-call.ts')
  const env = { ...process.env, RELAYED_CALL: JSON.stringify(call) }
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script], { env, timeout: 50_000 })
  return JSON.parse(stdout) as RelayedCallResult
}

function signed(username: string, secret: string): TurnCredentials {
  return { username, credential: createHmac('sha1', secret).update(username).digest('base64') }
}
