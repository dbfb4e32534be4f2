import { expect } from 'chai'
import { adviceFor, COTURN, HAPROXY, PROMETHEUS, REDIS } from './tools.ts'

describe('advice about a missing tool', () => {
  it('is one line with the way of each Linux', () => {
    const advice = adviceFor(REDIS, '/usr/bin/redis-server is 6.0', 'linux')

    expect(advice).to.equal(
      'Redis 7.0 or newer is missing (/usr/bin/redis-server is 6.0). Install it (Debian, Ubuntu: apt-get install ' +
        'redis-server; Fedora: dnf install redis; Alpine: apk add redis; Arch: pacman -S valkey) ' +
        'or set REDIS_URL to a server of yours.',
    )
  })

  it('tells a Mac only what helps there', () => {
    expect(adviceFor(HAPROXY, '', 'darwin')).to.equal(
      'HAProxy 2.6 or newer is missing. Install it (macOS: brew install haproxy) ' +
        'or build 2.6 or newer from source and put it on PATH.',
    )
  })

  it('reads the versions that the programs print', () => {
    expect('Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64').to.match(REDIS.versionPattern)
    expect('Valkey server v=8.1.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64').to.match(REDIS.versionPattern)
    expect('HAProxy version 3.0.11-1+deb13u3 2026/05/20 - https://haproxy.org/').to.match(HAPROXY.versionPattern)
    expect(COTURN.versionPattern.exec('4.6.1')?.slice(1, 3)).to.deep.equal(['4', '6'])
    expect(COTURN.versionPattern.exec("Version Coturn-4.7.0 'Gorst'")?.slice(1, 3)).to.deep.equal(['4', '7'])
    expect('prometheus, version 3.5.0 (branch: HEAD, revision: 8be3a9560fbdd18a94dedec4b747c35178177202)').to.match(
      PROMETHEUS.versionPattern,
    )
    expect('HA-Proxy version 2.2.9-2+deb11u6 2023/08/11').to.match(HAPROXY.versionPattern)
  })
})
