/** The conformance suite as a stranger runs it: by its command, against a cluster that offers all that it can try. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { findFreePort } from '../../dev/cluster/ports.ts'
import { privateCluster } from '../support/clusters.ts'
import { patient } from '../support/patience.ts'
import { mintToken } from '../support/tokens.ts'
import { randomWebhookSecret } from '../webhooks/receiver.ts'

const root = join(import.meta.dirname, '../..')
const RING_SECONDS = 6

interface Report {
  passed: number
  failed: number
  skipped: number
  trials: { section: string; title: string; state: string; reason?: string }[]
}

describe('the conformance suite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tchat-calling-conformance-'))
  let cluster: Cluster
  let webhookPort: number
  const webhookSecret = randomWebhookSecret()

  before(async function () {
    this.timeout(60_000)
    webhookPort = await findFreePort()
    cluster = await privateCluster({
      env: {
        RING_TIMEOUT_SECONDS: String(RING_SECONDS),
        WEBHOOK_URLS: `suite=http://127.0.0.1:${webhookPort}/`,
        WEBHOOK_SECRETS: `suite=${webhookSecret}`,
        WEBHOOK_ALLOW_PRIVATE: 'true',
      },
    })
  })
  after(async () => {
    await cluster?.stop()
    rmSync(folder, { recursive: true })
  })

  async function run(...args: string[]): Promise<{ code: number | null; output: string }> {
    const child = spawn(process.execPath, [join(root, 'conformance/dist/main.js'), ...args])
    const ended = once(child, 'close') as Promise<[number | null]>
    const [printed, complained, [code]] = await Promise.all([text(child.stdout), text(child.stderr), ended])
    return { code, output: printed + complained }
  }

  const patience = () => ['--patience', String(patient(10))]

  it('passes without a failed or skipped trial where the target offers everything', async () => {
    const [json, junit] = [join(folder, 'all.json'), join(folder, 'all.xml')]
    const args = [
      '--secret',
      cluster.jwtSecret,
      '--ring-seconds',
      String(RING_SECONDS),
      '--json',
      json,
      '--junit',
      junit,
    ]
    const webhooks = ['--webhook-port', String(webhookPort), '--webhook-secret', webhookSecret]

    const { code, output } = await run(cluster.url, ...args, ...webhooks, ...patience())

    const report = JSON.parse(readFileSync(json, 'utf8')) as Report
    expect(report.trials.filter(({ state }) => state !== 'passed')).to.deep.equal([])
    expect(report.passed).to.be.above(150)
    expect(readFileSync(junit, 'utf8').match(/<testcase /g)).to.have.length(report.passed)
    expect([code, output.includes('✖')]).to.deep.equal([0, false])
  }).timeout(180_000)

  it('runs with the tokens of a few users, and names what it skips', async () => {
    const [json, file] = [join(folder, 'few.json'), join(folder, 'tokens.txt')]
    const tokens = Array.from({ length: 12 }, () => mintToken(cluster.jwtSecret, { sub: crypto.randomUUID() }))
    writeFileSync(file, tokens.join('\n'))

    const { code, output } = await run(
      cluster.url,
      '--tokens',
      file,
      '--only',
      'Authentication',
      '--json',
      json,
      ...patience(),
    )

    const report = JSON.parse(readFileSync(json, 'utf8')) as Report
    expect(code, output).to.equal(0)
    expect(report.passed).to.be.above(5)
    const reasons = new Set(report.trials.flatMap(({ state, reason }) => (state === 'skipped' ? [reason] : [])))
    expect([...reasons]).to.deep.equal(['needs --secret'])
  }).timeout(60_000)

  it('fails with exit code 1 where a trial fails', async () => {
    const { code, output } = await run(cluster.url, '--secret', 'of somebody else', '--only', 'a call ends once')

    expect(code).to.equal(1)
    expect(output).to.include('✖ a call ends once')
  })

  it('says what is wrong with its command line, and exits with 2', async () => {
    for (const args of [[], ['localhost'], [cluster.url], [cluster.url, '--secret', 's', '--patience', 'long']]) {
      const { code, output } = await run(...args)
      expect(code, args.join(' ')).to.equal(2)
      expect(output).to.include('usage: calling-conformance')
    }
  })

  it('has a trial for each section of the contract, as docs/conformance.md lists them', async () => {
    const { output } = await run('--list')

    expect(output).to.not.include('**none**')
    expect(readFileSync(join(root, 'docs/conformance.md'), 'utf8')).to.include(output.trim())
  })
})
