import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { expect } from 'chai'
import { WebSocket } from 'ws'
import type { CallPhase } from '../../client/call-state.ts'
import { stopLibdatachannel } from '../../dev/demo/libdatachannel-connection.ts'
import { sharedCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'
import { closeParties, Party, untilPhase } from './party.ts'
import { WeriftPeerConnection } from './werift-peer-connection.ts'

const root = resolve(import.meta.dirname, '../..')
const readme = readFileSync(join(root, 'client/README.md'), 'utf8')

/** With gzip; a client that grows beyond it is no small one any more. */
const CEILING_BYTES = 12 * 1024

interface Screen {
  phase: CallPhase
  endReason?: string
  with: string
  answer(): Promise<void>
  hangUp(): Promise<void>
}
type StartPhone = (options: object) => Promise<{ call(userId: string): Promise<void>; close(): Promise<void> }>

describe('the package of the client', function () {
  this.timeout(60_000)
  let folder: string

  // As somebody has it who has installed the package.
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'tchat-calling-client-'))
    mkdirSync(join(folder, 'node_modules/@tchat'), { recursive: true })
    symlinkSync(join(root, 'client'), join(folder, 'node_modules/@tchat/calling-client'))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  })
  afterEach(closeParties)
  after(() => {
    rmSync(folder, { recursive: true, force: true })
    stopLibdatachannel()
  })

  it('is as small as its README says, and imports nothing', () => {
    const code = readFileSync(join(root, 'client/dist/calling-client.js'))
    const gzip = gzipSync(code, { level: 9 }).length

    const [, bytes, zipped] = /^Size: (\S+) bytes minified, (\S+) with gzip\.$/m.exec(readme) ?? []
    const numberOf = (text = '') => Number(text.replace(',', ''))
    expect(numberOf(bytes)).to.equal(code.length)
    // Each Node has a zlib of its own.
    expect(numberOf(zipped)).to.be.closeTo(gzip, 100)
    expect(gzip).to.be.below(CEILING_BYTES)
    expect(String(code)).to.not.match(/\bimport\b|\brequire\(/)
  })

  it('has what it publishes, and no source', () => {
    const listed = execFileSync('npm', ['pack', '--dry-run', '--json'], { cwd: join(root, 'client'), encoding: 'utf8' })
    const [{ files }] = JSON.parse(listed) as [{ files: { path: string }[] }]
    const paths = files.map(({ path }) => path)

    expect(paths).to.include.members(['package.json', 'README.md', 'API.md', 'dist/calling-client.js'])
    expect(paths).to.include('dist/types/client/public-api.d.ts')
    expect(paths).to.include('dist/types/core/protocol/signaling.d.ts')
    expect(paths.filter((path) => /(?<!\.d)\.ts$|test/.test(path))).to.deep.equal([])
  })

  it('has types that hold for whoever installs it', () => {
    const check = (name: string, code: string) => {
      writeFileSync(join(folder, name), code)
      const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2022,dom']
      try {
        execFileSync(
          process.execPath,
          [join(root, 'node_modules/typescript/bin/tsc'), ...options, '--types', '', name],
          {
            cwd: folder,
            encoding: 'utf8',
          },
        )
        return ''
      } catch (error) {
        return (error as { stdout: string }).stdout
      }
    }
    const start = `
      import { CallingClient, CallingError, type Call, type CallState } from '@tchat/calling-client'
      const client = new CallingClient({ url: 'https://calls.example.com', token: async () => 'x' })
      client.on('incoming', (call: Call) => call.on('state', (state: CallState) => console.log(state.endReason)))
      declare const video: HTMLVideoElement
    `
    const good = `${start}
      const call = await client.call('bob', { video: true })
      video.srcObject = call.remoteStream ?? null
      client.on('error', (error) => error instanceof CallingError && error.code === 'USER_ALREADY_IN_CALL')
    `

    expect(check('good.ts', good)).to.equal('')
    expect(check('bad.ts', `${start}\n client.on('incomming', () => {})`)).to.match(/incomming/)
    expect(check('internal.ts', `${start}\n client.on('incoming', (call) => call.drop())`)).to.match(/drop/)
  })

  it('makes a call with the example of its README', async () => {
    const [, code = ''] = /```js\n([\s\S]*?)```/.exec(readme) ?? []
    const lines = code.split('\n').filter((line) => line.trim() !== '')
    expect(lines.length).to.be.within(20, 35)
    const file = join(folder, 'phone.js')
    writeFileSync(file, code)
    const { startPhone } = (await import(pathToFileURL(file).href)) as { startPhone: StartPhone }
    const cluster = await sharedCluster()
    const alice = new Party(cluster)
    const screens: Screen[] = []
    const phone = await startPhone({
      url: cluster.url,
      origins: [`http://localhost:${new URL(cluster.url).port}`],
      token: () => alice.user.token,
      show: (screen: Screen) => screens.push(screen),
      WebSocket,
      RTCPeerConnection: WeriftPeerConnection,
      getMedia: null,
      onPeerConnection: (connection: { openChannel(): void }) => connection.openChannel(),
    })
    try {
      const bob = await Party.online(cluster, { gateway: 1, stack: 'libdatachannel' })
      await phone.call(bob.id)
      const incoming = await bob.rung()
      await incoming.answer()
      await Promise.all([
        untilPhase(incoming, 'active'),
        eventually(() => expect(screens.at(-1)?.phase).to.equal('active')),
      ])

      await screens.at(-1)?.hangUp()

      await untilPhase(incoming, 'ended')
      expect(screens.at(-1)).to.include({ phase: 'ended', endReason: 'hangup', with: bob.id })
      const phases = [...new Set(screens.map(({ phase }) => phase))]
      expect(phases).to.include.members(['ringing', 'active', 'ended'])
    } finally {
      await phone.close()
    }
  })
})
