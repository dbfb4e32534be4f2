import { expect } from 'chai'
import { packBody, unpackBody } from './relayed-body.ts'

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
})
