import { expect } from 'chai'
import { AppError } from '../protocol/errors.ts'
import { CredentialFault, challengeOf, readCredential } from './credentials.ts'

const read = (authorization: string | undefined, parameters: Record<string, string> = {}) =>
  readCredential({ authorization, parameter: (name) => parameters[name] })

describe('readCredential', () => {
  it('takes a bearer token, with any number of blanks around it and the scheme in any letter case', () => {
    for (const header of ['Bearer tok', 'bearer tok', 'BEARER  tok', 'Bearer \t tok  ', ' Bearer tok'])
      expect(read(header), JSON.stringify(header)).to.equal('tok')
  })

  it('finds none without a header, with another scheme and with a scheme alone', () => {
    for (const header of [undefined, '', 'Bearer', 'Bearer ', 'Bearertok', 'Basic tok', 'tok'])
      expect(read(header), JSON.stringify(header)).to.equal(undefined)
  })

  it('keeps what follows the scheme in one piece, so that it is refused as a whole', () => {
    expect(read('Bearer tok tok')).to.equal('tok tok')
  })

  it('prefers the token of the handshake, then its ticket, then the header; a blank one counts as absent', () => {
    expect(read('Bearer header', { token: 'query', ticket: 'ticket' })).to.equal('query')
    expect(read('Bearer header', { token: ' ', ticket: 'ticket' })).to.equal('ticket')
    expect(read('Bearer header', { token: '', ticket: '' })).to.equal('header')
    expect(read(undefined, { token: ' query\n' })).to.equal('query')
    expect(read(undefined, { token: '' })).to.equal(undefined)
  })

  it('takes the header alone where a door has no parameters', () => {
    expect(readCredential({ authorization: 'Bearer tok' })).to.equal('tok')
  })
})

describe('challengeOf', () => {
  it('tells a missing credential from one that is not accepted', () => {
    expect(challengeOf(new CredentialFault('none', { isMissing: true }))).to.equal('Bearer realm="calling"')
    expect(challengeOf(new CredentialFault('bad'))).to.equal('Bearer realm="calling", error="invalid_token"')
    expect(challengeOf(new AppError('UNAUTHORIZED'))).to.equal('Bearer realm="calling"')
    expect(challengeOf(new AppError('FORBIDDEN'))).to.equal(undefined)
  })
})
