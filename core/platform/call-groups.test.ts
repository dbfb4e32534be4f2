import { expect } from 'chai'
import { groupNamed } from './call-groups.ts'
import { loadConfig } from './config.ts'

const KEY = { JWT_SECRET: 'any' }
const TWO = {
  ...KEY,
  PUBLIC_URL: 'https://calls.example',
  GROUP_REDIS_URLS: 'one=redis://one:6379,two=rediss://user:secret@two:6380',
  GROUP_PUBLIC_URLS: 'two=https://calls-2.example/',
}

describe('the groups of a configuration', () => {
  it('are one where nothing is said: REDIS_URL and PUBLIC_URL', () => {
    const { groups, redis } = loadConfig('gateway', {
      ...KEY,
      REDIS_URL: 'redis://here',
      PUBLIC_URL: 'https://calls.example',
    })

    expect(groups.all).to.deep.equal([
      { name: 'main', redisUrl: 'redis://here', publicUrl: 'https://calls.example', isOpen: true },
    ])
    expect([groups.own, groups.first]).to.deep.equal([groups.all[0], groups.all[0]])
    expect(redis.url).to.equal('redis://here')
  })

  it('give a gateway the Redis of its own, and everybody else that of the first', () => {
    const own = (role: 'api' | 'gateway' | 'worker', GROUP: string) => loadConfig(role, { ...TWO, GROUP })

    expect(own('gateway', 'two').redis.url).to.equal('rediss://user:secret@two:6380')
    expect(own('gateway', '').redis.url).to.equal('redis://one:6379')
    expect(own('api', 'two').groups.own.name).to.equal('one')
    expect(own('api', '').groups.all.map(({ publicUrl }) => publicUrl)).to.deep.equal([
      'https://calls.example',
      'https://calls-2.example',
    ])
  })

  it('have the first for what is older than groups, or of one that is gone', () => {
    const { groups } = loadConfig('api', TWO)

    expect(groupNamed(groups, 'two').name).to.equal('two')
    for (const name of [null, 'three']) expect(groupNamed(groups, name).name).to.equal('one')
  })

  it('close one of them to new calls', () => {
    const { groups } = loadConfig('api', { ...TWO, GROUPS_CLOSED: 'one' })

    expect(groups.all.map(({ isOpen }) => isOpen)).to.deep.equal([false, true])
  })

  for (const [what, env, sentence] of [
    [
      'an origin missing',
      { ...TWO, GROUP_PUBLIC_URLS: 'none' },
      /GROUP_PUBLIC_URLS must name the origin of every group but the first/,
    ],
    ['an unknown name', { ...TWO, GROUP: 'three' }, /must name groups of GROUP_REDIS_URLS/],
    ['an unknown closed one', { ...TWO, GROUPS_CLOSED: 'three' }, /must name groups of GROUP_REDIS_URLS/],
    ['none open', { ...TWO, GROUPS_CLOSED: 'one,two' }, /must leave a group open/],
    ['a name twice', { ...TWO, GROUP_REDIS_URLS: 'one=redis://a,one=redis://b' }, /names a group twice/],
    ['a group without groups', { ...KEY, GROUP: 'two' }, /need GROUP_REDIS_URLS/],
    ['a URL without a name', { ...KEY, GROUP_REDIS_URLS: 'redis://a:secret@b' }, /^GROUP_REDIS_URLS must be none or/],
  ] as const)
    it(`refuse ${what}, and repeat no URL`, () => {
      expect(() => loadConfig('gateway', env))
        .to.throw(sentence)
        .and.to.satisfy((error: Error) => !/secret/.test(error.message))
    })
})
