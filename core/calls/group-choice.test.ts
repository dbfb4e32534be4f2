import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { chooseGroup } from './group-choice.ts'

describe('chooseGroup', () => {
  const ids = Array.from({ length: 3000 }, () => randomUUID())

  it('gives the same call the same group, whatever the order of groups', () => {
    for (const id of ids.slice(0, 100))
      expect(chooseGroup(id, ['a', 'b', 'c'])).to.equal(chooseGroup(id, ['c', 'a', 'b']))
  })

  it('spreads calls evenly', () => {
    const counts = new Map<string, number>()
    for (const id of ids)
      counts.set(chooseGroup(id, ['a', 'b', 'c']), (counts.get(chooseGroup(id, ['a', 'b', 'c'])) ?? 0) + 1)

    // Six standard deviations of a fair draw: one run in half a billion is outside.
    for (const group of ['a', 'b', 'c']) expect(counts.get(group)).to.be.within(845, 1155)
  })

  it('takes for a further group from the others, and moves nothing between these', () => {
    const moved = ids.filter((id) => chooseGroup(id, ['a', 'b']) !== chooseGroup(id, ['a', 'b', 'c']))

    expect(new Set(moved.map((id) => chooseGroup(id, ['a', 'b', 'c'])))).to.deep.equal(new Set(['c']))
  })

  it('refuses to choose among none', () => {
    expect(() => chooseGroup(randomUUID(), [])).to.throw('No group takes new calls')
  })
})
