import { expect } from 'chai'
import { deviceOf, isDeviceId, readDeviceId } from './devices.ts'

describe('isDeviceId', () => {
  it('takes 1 to 128 characters without control characters and lone surrogates', () => {
    for (const good of ['a', 'x'.repeat(128), 'Ann’s phone 📱']) expect(isDeviceId(good), good).to.equal(true)
    for (const bad of ['', 'x'.repeat(129), 'a\nb', 'a\u0000', '\u007f', '\u0085', 'a\n', 'a\ud800', '\udc00b'])
      expect(isDeviceId(bad)).to.equal(false)
  })
})

describe('deviceOf', () => {
  it("prefers the token's device to the client's", () => {
    expect(deviceOf({ deviceId: 'token' }, 'client')).to.equal('token')
    expect(deviceOf({ deviceId: undefined }, 'client')).to.equal('client')
    expect(deviceOf({ deviceId: undefined }, undefined)).to.equal(undefined)
  })
})

describe('readDeviceId', () => {
  it('takes an absent and an empty one for none, and refuses one that cannot be kept', () => {
    expect(readDeviceId('phone')).to.equal('phone')
    for (const none of [undefined, '']) expect(readDeviceId(none)).to.equal(undefined)
    for (const bad of ['x'.repeat(129), 'a\u0000b', 'a\nb', 'a\ud800'])
      expect(() => readDeviceId(bad))
        .to.throw(/^device_id must have 1 to 128/)
        .with.property('code', 'INVALID_REQUEST')
  })
})
