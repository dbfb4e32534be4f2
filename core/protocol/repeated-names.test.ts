import { expect } from 'chai'
import { hasRepeatedNames } from './repeated-names.ts'

const isRepeated = (text: string) => hasRepeatedNames(text, JSON.parse(text) as object)

describe('hasRepeatedNames', () => {
  for (const text of [
    '{}',
    '{"a":1}',
    '{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}',
    '{"a":"\\"a\\":1","b":"x\\\\","c":"\\\\\\"","d":":"}',
    '{"a":":\\"a\\":","\\"a\\"":1,"":2," ":3}',
    ' { "a" \n:\t"b" , "b" :\r"a" } ',
    '{"__proto__":1,"constructor":2,"toString":null}',
    '{"1":"a","0":"b","a":[["a",{"b":["c"]}],"a"]}',
    '{"a":"ünïcödé 漢字 🎥","漢":"\\u6f22","\\ud83d":1}',
    `{"a":${'['.repeat(30_000)}${']'.repeat(30_000)},"b":1}`,
    '[{"a":1},{"a":1}]',
  ])
    it(`takes ${text.slice(0, 70)}`, () => expect(isRepeated(text)).to.equal(false))

  for (const text of [
    '{"a":1,"a":1}',
    '{"type":"call-status","status":"ended","type":"candidate"}',
    '{"type":"offer","\\u0074ype":"offer"}',
    '{"a":1,"a" :1}',
    '{"a":1,"a"\n\t :1}',
    '{"":1,"":1}',
    '{"a":"\\\\","a":1}',
    '{"a\\"":1,"a\\u0022":1}',
    '{"__proto__":1,"__proto__":2}',
    '{"__proto__":{"a":1},"\\u005f_proto__":{"b":1}}',
    '{"1":1,"1":2}',
    '{"x":{"a":1,"a":2}}',
    '{"x":[[{"a":{"b":1,"b":2}}]]}',
    '{"a":{"b":1},"a":{"c":1,"d":2}}',
    '{"é":1,"\\u00e9":1}',
  ])
    it(`finds the repeated name of ${text}`, () => expect(isRepeated(text)).to.equal(true))

  it('agrees with a reader that compares names, for texts made at random', () => {
    let seed = 7
    const random = (below: number) => {
      seed = (seed * 48_271) % 2_147_483_647
      return seed % below
    }
    const pick = <T>(list: readonly T[]) => list[random(list.length)] as T
    for (let round = 0; round < 3_000; round++) {
      let isExpected = false
      const spaces = () => pick(['', '', '', ' ', '\n\t'])
      const make = (depth: number): string => {
        if (depth === 0) return pick(['1', '"a"', '"\\""', '"\\\\"', 'null', '":"', '"b\\":"', '""'])
        const members = Array.from({ length: random(4) }, () => ({
          name: pick(['"a"', '"\\u0061"', '"b"', '"\\""', '"c\\\\"', '""']),
          value: make(random(depth)),
        }))
        if (random(4) === 0) return `[${members.map(({ value }) => value).join(',')}]`
        const names = members.map(({ name }) => JSON.parse(name) as string)
        isExpected ||= new Set(names).size < names.length
        return `{${members.map(({ name, value }) => `${spaces()}${name}${spaces()}:${value}`).join(',')}}`
      }
      const text = `{"x":${make(4)}}`
      // A repeated name hides what its first value held, which may have been a repetition of its own.
      expect(isRepeated(text), text).to.equal(isExpected)
    }
  })
})
