import type { IncomingMessage } from 'node:http'
import { expect } from 'chai'
import { nodePrefix, sessionId, xxh64 } from './session-ids.ts'

describe('session ids', () => {
  it('hash as XXH64 does', () => {
    // Of xxHash's own reference: `printf abc | xxhsum -H1`.
    expect(xxh64(Buffer.alloc(0)).toString(16)).to.equal('ef46db3751d8e999')
    expect(xxh64(Buffer.from('a')).toString(16)).to.equal('d24ec4f1a98c6e5b')
    expect(xxh64(Buffer.from('abc')).toString(16)).to.equal('44bc2cf5ad770999')
  })

  it('begin with what HAProxy 2.6.12 made of a server at that place', () => {
    expect(nodePrefix('127.0.0.1', 19912)).to.equal('eebc45977162ac17')
    expect(nodePrefix('::1', 19916)).to.equal('0c47e4e6b9479f32')
  })

  it('know an IPv4 address in its IPv6 form, and each way of writing IPv6', () => {
    expect(nodePrefix('::ffff:10.0.0.7', 8082)).to.equal(nodePrefix('10.0.0.7', 8082))
    expect(nodePrefix('fd00::1:2', 8082)).to.equal(nodePrefix('fd00:0:0:0:0:0:1:2', 8082))
    expect(nodePrefix('10.0.0.7', 8082)).not.to.equal(nodePrefix('10.0.0.8', 8082))
    expect(nodePrefix('10.0.0.7', 8082)).not.to.equal(nodePrefix('10.0.0.7', 8083))
  })

  it('cannot be guessed, and are short enough for a query', () => {
    const request = { socket: { localAddress: '10.0.0.7', localPort: 8082 } } as IncomingMessage
    const ids = Array.from({ length: 100 }, () => sessionId(request))
    expect(new Set(ids)).to.have.length(100)
    for (const id of ids) expect(id).to.match(/^[0-9a-f]{16}\.[\w-]{20}$/)
  })
})
