import { expect } from 'chai'
import { RewriteFirst } from './rewrite-first.ts'

describe('RewriteFirst', () => {
  let history = 'one'
  let now = 0
  let first: RewriteFirst

  beforeEach(() => {
    history = 'one'
    now = 1000
    first = new RewriteFirst(
      () => history,
      () => now,
    )
  })

  it('is due on another server until the node has written itself there', () => {
    expect(first.isDue).to.equal(true)
    first.done(first.current)
    expect(first.isDue).to.equal(false)

    history = 'two'
    expect(first.isDue).to.equal(true)
    first.done('one')
    expect(first.isDue, 'written to the old server').to.equal(true)
    first.done('two')
    expect(first.isDue).to.equal(false)
  })

  it('is due for two seconds at most, of each server', () => {
    expect(first.isDue).to.equal(true)
    now += 1999
    expect(first.isDue).to.equal(true)
    now += 1
    expect(first.isDue).to.equal(false)

    history = 'two'
    expect(first.isDue).to.equal(true)
  })

  it('is never due where servers do not tell who they are', () => {
    history = ''
    expect(first.isDue).to.equal(false)
  })
})
