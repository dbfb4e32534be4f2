/** What `make loadtest scenario=…` says before it runs anything. */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { findFreePort } from '../../dev/cluster/ports.ts'
import { makeRunDir } from '../../dev/cluster/run-dir.ts'
import { saveTokenKey } from '../../dev/cluster/token-key.ts'
import { findTarget } from '../../loadtest/scenario-target.ts'
import { mustBeScenario } from '../../loadtest/scenarios.ts'
import { sharedCluster } from '../support/clusters.ts'

const NOWHERE = join(tmpdir(), 'tchat-calling-no-run-dir')

describe('the target of a scenario', () => {
  const refusal = (promise: Promise<unknown>) =>
    promise.then(
      () => 'taken',
      (error: Error) => error.message,
    )

  it('is a service elsewhere, with its secret', async () => {
    const { url, jwtSecret } = await sharedCluster()

    expect(await findTarget(`${url}/`, { JWT_SECRET: jwtSecret }, NOWHERE)).to.deep.include({ url })
    expect(await refusal(findTarget(url, {}, NOWHERE))).to.include('Give the JWT_SECRET')
    expect(await refusal(findTarget(url, { JWT_SECRET: 'another'.repeat(8) }, NOWHERE))).to.include('refuses tokens')
    const issued = { JWT_SECRET: jwtSecret, JWT_ISSUER: 'https://users.example' }
    expect((await findTarget(url, issued, NOWHERE)).key.issuer).to.equal('https://users.example')
  }).timeout(60_000)

  it('is what make up has started here', async () => {
    const { url, jwtSecret } = await sharedCluster()
    const folder = await makeRunDir(undefined)
    try {
      saveTokenKey(folder.path, { secret: jwtSecret })

      const port = new URL(url).port
      expect(await findTarget('', { PORT: port }, folder.path)).to.deep.include({ url: `http://localhost:${port}` })
      expect(await refusal(findTarget('', { PORT: port }, NOWHERE))).to.include('No cluster runs here')
    } finally {
      folder.leave()
    }
  }).timeout(60_000)

  it('must be there', async () => {
    const env = { JWT_SECRET: 'secret'.repeat(8) }

    const nobody = `http://127.0.0.1:${await findFreePort()}`
    expect(await refusal(findTarget(nobody, env, NOWHERE))).to.equal(`${nobody}/health does not answer: ECONNREFUSED`)
    expect(await refusal(findTarget('calls.example.com', env, NOWHERE))).to.include('must be like https://')
  })

  it('is asked for with a scenario that there is', () => {
    expect(() => mustBeScenario('nonsense')).to.throw('There is no scenario nonsense; there are mixed-day, ')
    expect(() => mustBeScenario('rest')).not.to.throw()
  })
})
