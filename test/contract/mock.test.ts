/** The mock server: as true as the service, and obedient to a test. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { type MockOptions, type MockServer, startMock } from '../../mock/public-api.ts'
import { ApiClient } from '../support/api-client.ts'
import { connectPeer, refusalOf } from '../support/connect-peer.ts'
import { patient } from '../support/patience.ts'

const root = join(import.meta.dirname, '../..')

async function runNode(args: string[], cwd: string): Promise<{ code: number | null; output: string }> {
  // Mocha's own reporter settings must not reach the runner that this starts.
  const child = spawn(process.execPath, args, { cwd, env: { ...process.env, NODE_OPTIONS: '' } })
  const ended = once(child, 'close') as Promise<[number | null]>
  const [printed, complained, [code]] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  return { code, output: printed + complained }
}

describe('the mock server', () => {
  let mock: MockServer
  const start = async (options: MockOptions = {}) => {
    mock = await startMock(options)
  }
  afterEach(() => mock?.close())

  it('passes the conformance suite', async () => {
    await start({ ringSeconds: 3 })
    const args = ['--secret', mock.secret, '--ring-seconds', '3', '--at-once', '16', '--patience', String(patient(10))]

    const { code, output } = await runNode(['conformance/dist/main.js', mock.url, ...args], root)

    expect(code, output).to.equal(0)
    expect(output).to.match(/ℹ fail 0/)
  }).timeout(180_000)

  it('is what the test of an app in its documentation needs', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tchat-calling-app-'))
    const [example] = /```js\n([\s\S]*?)```/.exec(readFileSync(join(root, 'mock/README.md'), 'utf8'))?.slice(1) ?? []
    writeFileSync(join(folder, 'phone.test.mjs'), example ?? '')
    writeFileSync(join(folder, 'phone.js'), APP)
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    mkdirSync(join(folder, 'node_modules/@tchat'), { recursive: true })
    symlinkSync(join(root, 'mock'), join(folder, 'node_modules/@tchat/calling-mock'))
    symlinkSync(join(root, 'node_modules/ws'), join(folder, 'node_modules/ws'))

    const { code, output } = await runNode(['--test', 'phone.test.mjs'], folder)

    rmSync(folder, { recursive: true })
    expect(code, output).to.equal(0)
    expect(output).to.match(/pass 1/)
    await start()
  }).timeout(60_000)

  const channel = (user: { id: string; token: string }, kind: 'raw' | 'socketio' = 'raw') =>
    connectPeer(kind, { url: mock.url, userId: user.id, token: user.token })

  it('refuses the next handshake, and the one after it no more', async () => {
    await start()
    const user = mock.user()
    for (const kind of ['raw', 'socketio'] as const) {
      mock.script.refuseNextHandshake({ code: 'SERVICE_UNAVAILABLE', details: { retry_after_ms: 50 } })
      const refused = await refusalOf(kind, { url: mock.url, userId: user.id, token: user.token })
      expect([refused.code, refused.retryAfterMs]).to.deep.equal(['SERVICE_UNAVAILABLE', 50])
      await (await channel(user, kind)).close()
    }
    const handshakes = mock.received.flatMap((each) => (each.kind === 'handshake' ? [each.refused] : []))
    expect(handshakes).to.deep.equal(['SERVICE_UNAVAILABLE', undefined, 'SERVICE_UNAVAILABLE', undefined])
  })

  it('drops, doubles and delays messages', async () => {
    await start()
    const user = mock.user()
    const phone = await channel(user)
    mock.script.drop({ type: 'incoming-call' })
    mock.script.duplicate({ type: 'call-status' })
    mock.end(mock.ring(user.id).id)
    await phone.next('call-status')
    await phone.next('call-status')
    mock.script.delay(5_000, { type: 'incoming-call' })
    const late = mock.ring(user.id)
    mock.end(late.id)
    await phone.next((message) => message.type === 'call-status' && message.call_id === late.id)
    expect(phone.all('incoming-call')).to.deep.equal([])
    mock.advance(5_000)
    expect((await phone.next('incoming-call')).call_id).to.equal(late.id)
  })

  it('leaps in time: rings end, and tokens', async () => {
    await start()
    const user = mock.user()
    const phone = await channel(user)
    const call = mock.ring(user.id)
    mock.advance(15_000)
    expect(mock.call(call.id).ringState).to.equal('unreachable')
    mock.advance(30_000)
    const over = await phone.next((message) => message.type === 'call-status' && message.status === 'ended')
    expect(over).to.include({ call_id: call.id, end_reason: 'no_answer' })
    mock.advance(3_600_000)
    expect((await phone.closed).code).to.equal(4401)
  })

  it('closes connections with any code, and refuses requests', async () => {
    await start()
    const [user, other] = [mock.user(), mock.user()]
    const [phone, another] = [await channel(user), await channel(other)]
    expect(mock.closeConnections(1012, user.id)).to.equal(1)
    expect((await phone.closed).code).to.equal(1012)
    const api = new ApiClient(mock.url, other.token)
    mock.script.refuseNextRequest('GET', '/api/v1/calls/user/*', { code: 'INTERNAL_ERROR' })
    expect((await api.activeCalls(other.id)).status).to.equal(500)
    expect((await api.activeCalls(other.id)).status).to.equal(200)
    await another.close()
  })

  it('plays the other participant', async () => {
    await start()
    const user = mock.user()
    const { id, callerId } = mock.ring(user.id)
    mock.answer(id)
    mock.say(id, callerId, { type: 'offer', sdp: 'v=0' })
    const peer = await connectPeer('raw', {
      url: mock.url,
      userId: user.id,
      token: user.token,
      callId: id,
      otherId: callerId,
    })
    await peer.join()
    expect(await peer.next('offer')).to.include({ from: callerId, sdp: 'v=0' })
    peer.send(peer.answerMessage('v=1'))
    await peer.sendAndAck(peer.candidateMessage('candidate:1'))
    const said = mock.received.flatMap((each) => (each.kind === 'message' ? [each.message.type] : []))
    expect(said).to.deep.equal(['join-room', 'answer', 'candidate'])
  })
})

/** The app of the documentation's example. */
const APP = `
import { EventEmitter } from 'node:events'
export class Phone extends EventEmitter {
  shows = 'idle'
  constructor(socket) {
    super()
    socket.on('open', () => this.emit('online'))
    socket.on('message', (text) => {
      const message = JSON.parse(text)
      if (message.type === 'incoming-call') this.shows = 'ringing'
      if (message.status === 'active') this.shows = \`answered on \${message.answered_by_device}\`
      this.emit('change')
    })
  }
}
`
