import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { Webhook } from 'standardwebhooks'
import { findFreePort } from '../../dev/cluster/ports.ts'
import { pair } from '../calls/bench.ts'
import { eventually } from '../support/eventually.ts'
import { WebhookBench } from './bench.ts'
import { randomWebhookSecret } from './receiver.ts'

describe('the receiver of docs/webhooks.md', () => {
  let bench: WebhookBench
  let folder: string
  before(async () => {
    bench = await WebhookBench.start()
    folder = mkdtempSync(join(tmpdir(), 'tchat-calling-receiver-'))
  })
  after(async () => {
    rmSync(folder, { recursive: true, force: true })
    await bench.stop()
  })

  it('rings and stops ringing, once each, and lets no stranger in', async () => {
    const [, code] = /```js\n([\s\S]*?)```/.exec(readFileSync('docs/webhooks.md', 'utf8')) ?? []
    const script = join(folder, 'receiver.mjs')
    writeFileSync(script, code ?? '')
    const port = await findFreePort()
    const secret = randomWebhookSecret()
    const lines: string[] = []
    const receiver = spawn(process.execPath, [script], { env: { PORT: String(port), WEBHOOK_SECRET: secret } })
    receiver.stdout.on('data', (text: Buffer) => lines.push(...text.toString().trim().split('\n')))
    try {
      await eventually(() => expect(lines).to.deep.equal(['listening']))
      const url = `http://127.0.0.1:${port}/hook`
      const env = { WEBHOOK_URLS: url, WEBHOOK_SECRETS: secret, WEBHOOK_ALLOW_PRIVATE: 'true' }
      const { calls } = bench.service(env)
      bench.couriers(env)

      const users = pair()
      const { call } = await calls.initiate(users)
      await calls.end(call.id, users.calleeId, 'user_hangup')

      const rung = ['listening', `push to ${users.calleeId} video`, `call.missed ${call.id} declined`]
      await eventually(() => expect(lines).to.deep.equal(rung))
      const post = async (body: string, id: string, at: Date, signer: string) => {
        const headers = {
          'webhook-id': id,
          'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
          'webhook-signature': `v1,AAAA ${new Webhook(signer).sign(id, at, body)}`,
        }
        return (await fetch(url, { method: 'POST', body, headers })).status
      }
      const id = `evt_${call.id}_missed`
      const body = JSON.stringify({ id, type: 'call.missed', data: { call_id: call.id } })
      expect(await post(body, id, new Date(), secret), 'a repetition').to.equal(204)
      expect(await post(body, id, new Date(), randomWebhookSecret()), 'another secret').to.equal(401)
      expect(await post(body, id, new Date(Date.now() - 600_000), secret), 'an old one').to.equal(401)
      expect((await fetch(url, { method: 'POST', body })).status, 'unsigned').to.equal(401)
      expect(lines).to.deep.equal(rung)
    } finally {
      receiver.kill('SIGKILL')
    }
  })
})
