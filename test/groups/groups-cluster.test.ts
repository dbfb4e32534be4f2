import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { startGroups } from '../../dev/cluster/groups.ts'
import { findFreePort, probePort } from '../../dev/cluster/ports.ts'
import { makeRunDir, type RunDir } from '../../dev/cluster/run-dir.ts'
import { runDemo } from '../../dev/demo/demo.ts'
import { stopLibdatachannel } from '../../dev/demo/libdatachannel-connection.ts'
import { mintToken } from '../support/tokens.ts'

describe('a cluster of groups, as CALL_GROUPS=2 make up starts it', () => {
  let folder: RunDir
  let cluster: Cluster

  before(async function () {
    this.timeout(90_000)
    folder = await makeRunDir(undefined)
    cluster = await startGroups(2, {
      port: await freePair(),
      gateways: 1,
      runDir: folder.path,
      env: { STUN_URLS: 'none' },
    })
  })
  after(async function () {
    this.timeout(60_000)
    await cluster?.stop()
    folder.leave()
    stopLibdatachannel()
  })

  it('makes calls with media in either group, also after each got one gateway more', async () => {
    const { groups } = cluster.description
    expect(groups.map(({ name }) => name)).to.deep.equal(['one', 'two'])
    const ports = groups.map(({ url }) => new URL(url).port)
    await callInBoth(ports)

    await cluster.scale('gateway', 2)
    expect(cluster.description.gateways).to.have.lengthOf(4)
    await callInBoth(ports)
  }).timeout(180_000)

  /** Which group a call gets is drawn: so many calls that both had one. */
  async function callInBoth(ports: string[]): Promise<void> {
    const had = new Set<string>()
    while (had.size < ports.length) {
      const { steps } = await runDemo({
        apiUrl: cluster.url,
        gatewayUrls: [cluster.url],
        groupPorts: ports,
        mintToken: (user) => mintToken(cluster.jwtSecret, { sub: user }),
        print: () => {},
      })
      const place = steps.map(({ name }) => /, in the group at (\S+)$/.exec(name)?.[1]).find((url) => url !== undefined)
      had.add(new URL(place ?? '').port)
    }
  }
})

/** Two ports in a row. */
async function freePair(): Promise<number> {
  for (;;) {
    const port = await findFreePort()
    if ((await probePort(port + 1)) === undefined) return port
  }
}
