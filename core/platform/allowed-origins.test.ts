import { expect } from 'chai'
import { allowedOrigins, isAllowedOrigin, isOriginPattern } from './allowed-origins.ts'

describe('allowedOrigins', () => {
  it('has the service’s own origin in every spelling that clients use', () => {
    expect(allowedOrigins(['https://app.example.com'], ['https://calls.example.com'])).to.deep.equal([
      'https://app.example.com',
      'https://calls.example.com',
      'https://calls.example.com:443',
      'wss://calls.example.com',
      'wss://calls.example.com:443',
    ])
    expect(allowedOrigins([], ['http://localhost:8093', 'http://localhost:8094'])).to.deep.equal([
      'http://localhost:8093',
      'ws://localhost:8093',
      'http://localhost:8094',
      'ws://localhost:8094',
    ])
  })

  it('stays open to everybody where it is', () => {
    expect(allowedOrigins(['https://a', '*'], ['https://b'])).to.deep.equal(['*'])
  })
})

describe('isAllowedOrigin', () => {
  it('takes scheme and host in any letter case, and nothing else for it', () => {
    const allowed = allowedOrigins(['capacitor://localhost'], ['https://calls.example.com'])
    for (const origin of ['wss://Calls.Example.com', 'HTTPS://calls.example.com:443', 'capacitor://localhost'])
      expect(isAllowedOrigin(allowed, origin), origin).to.equal(true)
    for (const origin of ['https://Calls.Example.com.evil.example', 'https://other.example', 'null', ''])
      expect(isAllowedOrigin(allowed, origin), origin).to.equal(false)
    expect(isAllowedOrigin(['*'], 'null')).to.equal(true)
  })
})

describe('isOriginPattern', () => {
  it('takes what browsers, web views and opaque origins send', () => {
    const taken = ['*', 'null', 'file://', 'https://a.example', 'http://a:8080', 'capacitor://localhost']
    for (const origin of [...taken, 'ionic://localhost', 'app://tchat', 'chrome-extension://abcdef', 'http://[::1]:80'])
      expect(isOriginPattern(origin), origin).to.equal(origin !== 'http://[::1]:80')
  })

  it('refuses what no client would ever send', () => {
    for (const origin of ['', 'a.example', 'https://a.example/', 'https://A.example', 'https://a:443', 'file:///x'])
      expect(isOriginPattern(origin), origin).to.equal(false)
    for (const origin of ['capacitor://localhost/', 'capacitor:', 'NULL', 'https:// a', 'x://a b', 'x://a"'])
      expect(isOriginPattern(origin), origin).to.equal(false)
  })
})
