// What the figures were measured on.
import { execFileSync } from 'node:child_process'
import { cpus, release, totalmem } from 'node:os'
import { findTool, REDIS } from '../../dev/cluster/tools.ts'

export interface Machine {
  cpu: string
  cores: number
  memoryGib: number
  kernel: string
  node: string
  redis: string
  commit: string
}

export async function describeMachine(): Promise<Machine> {
  const redis = await findTool(REDIS)
  const version = execFileSync(redis.path, ['--version'], { env: { ...process.env, ...redis.env }, encoding: 'utf8' })
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.versions.node,
    redis: /v=(\S+)/.exec(version)?.[1] ?? 'unknown',
    commit: readCommit(),
  }
}

function readCommit(): string {
  try {
    const options = { cwd: import.meta.dirname, encoding: 'utf8' } as const
    const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], options).trim()
    // What decides the figures; a results page of an earlier run is no change.
    const changes = execFileSync(
      'git',
      ['status', '--porcelain', '--', ':/core', ':/gateway', ':/loadtest/rivals'],
      options,
    )
    return changes.trim() === '' ? commit : `${commit}, with changes not committed`
  } catch {
    return 'not a git checkout'
  }
}
