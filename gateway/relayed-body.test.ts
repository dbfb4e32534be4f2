import { expect } from 'chai'
import { originOf, packBody, rewrittenBody, unpackBody } from './relayed-body.ts'

describe('relayed body', () => {
  it('comes out as it went in, with seq as its last member', () => {
    const json = '{"type":"offer","sdp":"v=0 \\"ü€😀\\"","extra":{"a":[1,2]}}'

    const unpacked = unpackBody(packBody('offer', json), '1700000000000', 7)

    expect(unpacked.type).to.equal('offer')
    expect(JSON.parse(unpacked.json)).to.deep.equal({ ...JSON.parse(json), seq: '1700000000000-7' })
  })

  it("never lets a sender's own seq win", () => {
    const unpacked = unpackBody(packBody('candidate', '{"seq":"forged","candidate":""} \n'), '5', 1)

    expect(JSON.parse(unpacked.json).seq).to.equal('5-1')
  })

  it('keeps the place that a rewritten message had', () => {
    const body = packBody('offer', '{"sdp":"a|b}"}')

    const rewritten = rewrittenBody({ to: 'b', epoch: '1700000000000', number: 7, previous: 3, body })

    expect(originOf(rewritten)).to.deep.equal({ epoch: '1700000000000', number: 7 })
    expect(originOf(body)).to.equal(undefined)
    expect(unpackBody(rewritten, '1800000000000', 1)).to.deep.equal(unpackBody(body, '1800000000000', 1))
  })
})
