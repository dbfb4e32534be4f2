/** HTTPS and WSS at the edge: what it serves, what it refuses, and a certificate that is replaced under a connection. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { get, request } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls'
import { expect } from 'chai'
import { io } from 'socket.io-client'
import { WebSocket } from 'ws'
import { makeCertificate } from '../../dev/cluster/certificates.ts'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { newCall } from '../support/calls.ts'
import { privateCluster } from '../support/clusters.ts'
import { eventually } from '../support/eventually.ts'

describe('the edge with TLS', () => {
  let cluster: Cluster
  let ca: Buffer

  before(async function () {
    this.timeout(60_000)
    cluster = await privateCluster({ tls: true })
    ca = readFileSync(cluster.description.edge?.ca ?? '')
  })

  after(() => cluster.stop())

  /** A handshake; resolves with the connection, rejects with what was wrong. */
  function handshake(options: ConnectionOptions = {}): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const { port } = new URL(cluster.url)
      const socket = connect({ host: '127.0.0.1', servername: 'localhost', port: Number(port), ca, ...options }, () =>
        resolve(socket),
      )
      socket.once('error', reject)
    })
  }

  /** Connects, joins, and resolves once the room has said so. */
  function joinedRaw(url: string, userId: string, callId: string): Promise<WebSocket> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url, { ca })
      socket.once('open', () => socket.send(JSON.stringify({ type: 'join-room', call_id: callId, user_id: userId })))
      socket.on('message', (data) => {
        if (JSON.parse(String(data)).type === 'user-joined') resolve(socket)
      })
      socket.once('error', reject)
    })
  }

  it('serves the API by HTTPS, whose calls are signaled by WSS on both transports', async () => {
    const call = await newCall(cluster)
    const status = await new Promise<string>((resolve, reject) => {
      const headers = { authorization: `Bearer ${call.callee.token}` }
      get(`${cluster.url}/api/v1/calls/${call.id}/status`, { ca, headers }, (response) => {
        response.setEncoding('utf8').on('data', resolve)
      }).once('error', reject)
    })
    expect(JSON.parse(status)).to.include({ call_id: call.id, status: 'connecting' })

    const { port } = new URL(cluster.url)
    const url = `wss://localhost:${port}/ws/signaling/${call.id}?token=${call.caller.token}`
    const caller = await joinedRaw(url, call.caller.id, call.id)
    const callee = io(`https://localhost:${port}`, {
      ca: String(ca),
      query: { call_id: call.id },
      auth: { token: call.callee.token },
      forceNew: true,
    })
    const offered = new Promise((resolve) => callee.once('offer', ({ sdp }) => resolve(sdp)))
    await new Promise((resolve, reject) => {
      callee.once('connect_error', reject)
      callee.once('connect', () =>
        callee.emit('join-room', { type: 'join-room', call_id: call.id, user_id: call.callee.id }, resolve),
      )
    })
    const offer = { type: 'offer', call_id: call.id, from: call.caller.id, to: call.callee.id, sdp: 'over TLS' }
    caller.send(JSON.stringify(offer))

    expect(await offered).to.equal('over TLS')
    caller.terminate()
    callee.disconnect()
  }).timeout(20_000)

  it('tells clients a signaling_url that begins with wss', async () => {
    expect(cluster.env.PUBLIC_URL).to.equal(`https://localhost:${new URL(cluster.url).port}`)
    const { caller, callee } = await newCall(cluster).then(({ caller, callee, end }) =>
      end().then(() => ({ caller, callee })),
    )
    const body = JSON.stringify({ caller_id: caller.id, callee_id: callee.id, call_type: 'voice' })
    const answer = await new Promise<string>((resolve, reject) => {
      const headers = { authorization: `Bearer ${caller.token}`, 'content-type': 'application/json' }
      const sent = request(`${cluster.url}/api/v1/calls/initiate`, { method: 'POST', ca, headers }, (response) => {
        response.setEncoding('utf8').on('data', resolve)
      })
      sent.once('error', reject).end(body)
    })
    expect(JSON.parse(answer).signaling_url).to.match(/^wss:\/\/localhost:/)
  })

  it('speaks TLS 1.2 and 1.3, nothing older and no weak cipher', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await handshake({ minVersion: version, maxVersion: version })
      expect(socket.getProtocol()).to.equal(version)
      socket.destroy()
    }
    // Lowered on the client's side, so that the refusal is the edge's.
    const ciphers = 'DEFAULT:@SECLEVEL=0'
    const old = await handshake({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers }).catch((error) => error)
    expect(old).to.be.instanceOf(Error).and.have.property('code').that.includes('ALERT_PROTOCOL_VERSION')
    const weak = { maxVersion: 'TLSv1.2' as const, ciphers: 'ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0' }
    expect(await handshake(weak).catch((error) => error)).to.be.instanceOf(Error)
  })

  it('says nothing of strict transport on a developer’s machine', async () => {
    const headers = await new Promise<Record<string, unknown>>((resolve, reject) => {
      get(`${cluster.url}/health`, { ca }, (response) => {
        response.resume()
        resolve(response.headers)
      }).once('error', reject)
    })
    expect(headers).not.to.have.property('strict-transport-security')
  })

  it('answers plain HTTP on its port with nothing', async () => {
    const answer = await new Promise<string>((resolve) => {
      const socket = connectTcp(Number(new URL(cluster.url).port), '127.0.0.1', () =>
        socket.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n'),
      )
      let got = ''
      socket.setEncoding('latin1').on('data', (text: string) => {
        got += text
      })
      socket.once('error', () => {})
      socket.once('close', () => resolve(got))
    })
    expect(answer).not.to.include('HTTP/1')
  })

  it('takes a new certificate at a reload, which a standing connection does not notice', async () => {
    const call = await newCall(cluster)
    const { port } = new URL(cluster.url)
    const url = `wss://localhost:${port}/ws/signaling/${call.id}?token=${call.caller.token}`
    const socket = await joinedRaw(url, call.caller.id, call.id)
    const served = async (trusted: Buffer): Promise<DetailedPeerCertificate> => {
      const probe = await handshake({ ca: trusted })
      const certificate = probe.getPeerCertificate(true)
      probe.destroy()
      return certificate
    }
    const before = await served(ca)
    const folder = mkdtempSync(join(tmpdir(), 'tchat-calling-tls-'))
    const next = await makeCertificate(folder, ['DNS:localhost', 'IP:127.0.0.1'])
    copyFileSync(next.both, join(cluster.runDir, 'tls', 'both.pem'))

    await cluster.reloadEdge()

    // Who trusts the new authority alone is served: the old certificate would be refused.
    const after = await eventually(() => served(readFileSync(next.ca)))
    expect(after.fingerprint256).not.to.equal(before.fingerprint256)
    const pong = new Promise((resolve) => socket.once('pong', resolve))
    socket.ping()
    await pong
    socket.terminate()
    rmSync(folder, { recursive: true })
  }).timeout(20_000)
})
