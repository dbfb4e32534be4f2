import { expect } from 'chai'
import { duration, printable, table } from './table.ts'

describe('a table of callctl', () => {
  it('is aligned, with numbers to the right and a dash where nothing is', () => {
    const rows = [
      { name: 'a', count: 7, note: undefined },
      { name: 'longer', count: 1234, note: 'x' },
    ]
    const text = table(rows, [
      { title: 'NAME', value: ({ name }) => name },
      { title: 'COUNT', value: ({ count }) => count },
      { title: 'NOTE', value: ({ note }) => note },
    ])

    expect(text.split('\n')).to.deep.equal(['NAME    COUNT  NOTE', 'a           7  -', 'longer   1234  x'])
  })

  it('takes what a terminal would obey out of a name', () => {
    expect(printable('phone\u001b[2J\u202e\n')).to.equal('phone?[2J??')
  })

  it('says durations in two units at most', () => {
    expect([0.04, 7.24, 59, 61, 3600, 90_061].map(duration)).to.deep.equal([
      '0s',
      '7.2s',
      '59s',
      '1m1s',
      '1h0m',
      '1d1h',
    ])
  })
})
