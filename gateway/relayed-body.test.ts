import { expect } from 'chai'
import { originOf, packBody, relayedJson, rewrittenBody, unpackBody } from './relayed-body.ts'

describe('relayed body', () => {
  it('comes out as it went in, with seq as its last member', () => {
    const json = '{"type":"offer","sdp":"v=0 \\"ü€😀\\"","extra":{"a":[1,2]}}'

    const unpacked = unpackBody(packBody('offer', json), '1700000000000', 7)

    expect(unpacked.type).to.equal('offer')
    expect(JSON.parse(unpacked.json)).to.deep.equal({ ...JSON.parse(json), seq: '1700000000000-7' })
  })

  it("leaves out a sender's own seq, wherever it stands and however it is written", () => {
    for (const text of [
      '{"seq":"forged","candidate":""} \n',
      '{"candidate":"","\\u0073eq":{"seq":1}}',
      '{"candidate":"","seq":null}',
    ]) {
      const body = packBody('candidate', relayedJson(JSON.parse(text), text))

      expect(unpackBody(body, '5', 1).json).to.equal('{"candidate":"","seq":"5-1"}')
    }
  })

  it('takes the text of a message without a seq as it is', () => {
    const text = '{ "candidate" : "\\u0041", "__proto__": 1.0 }'

    expect(relayedJson(JSON.parse(text), text)).to.equal(text)
  })

  it('refuses a message with a seq that is nested too deep to be written again', () => {
    const text = `{"seq":1,"x":${'['.repeat(30_000)}${']'.repeat(30_000)}}`

    expect(() => relayedJson(JSON.parse(text), text))
      .to.throw('seq')
      .with.property('code', 'INVALID_REQUEST')
  })

  it('keeps the place that a rewritten message had', () => {
    const body = packBody('offer', '{"sdp":"a|b}"}')

    const rewritten = rewrittenBody({ to: 'b', epoch: '1700000000000', number: 7, previous: 3, body })

    expect(originOf(rewritten)).to.deep.equal({ epoch: '1700000000000', number: 7 })
    expect(originOf(body)).to.equal(undefined)
    expect(unpackBody(rewritten, '1800000000000', 1)).to.deep.equal(unpackBody(body, '1800000000000', 1))
  })
})
