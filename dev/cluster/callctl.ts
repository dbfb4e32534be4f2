// `make callctl`: the product's own operator command, pointed at the running cluster.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type DescribedGroup, readDescription } from './description.ts'
import { readTokenKey } from './token-key.ts'
import { UserError } from './user-error.ts'

const program = join(dirname(dirname(import.meta.dirname)), 'dist', 'callctl', 'main.js')

/** What the processes of the cluster are told of its groups. */
function variablesOf(groups: DescribedGroup[]): Record<string, string> {
  if (groups.length === 0) return {}
  return {
    GROUP_REDIS_URLS: groups.map(({ name, redis }) => `${name}=${redis.url}`).join(','),
    GROUP_PUBLIC_URLS: groups.map(({ name, url }) => `${name}=${url}`).join(','),
  }
}

/** Runs it to its end; returns its exit code. What the shell says (WEBHOOK_URLS, say) goes with it. */
export function callctl(runDir: string, args: string[], env: NodeJS.ProcessEnv): number {
  const description = readDescription(runDir)
  if (description === undefined) throw new UserError('No cluster runs here. Start one with "make up".')
  if (!existsSync(program)) throw new UserError('callctl is not built. Run "make build" first.')
  const key = readTokenKey(runDir)
  const { status } = spawnSync(process.execPath, [program, ...args], {
    stdio: 'inherit',
    env: {
      ...env,
      DATABASE_URL: env.DATABASE_URL || description.postgres.url,
      REDIS_URL: env.REDIS_URL || description.redis.url,
      ...variablesOf(description.groups),
      ...(key === undefined ? {} : { JWT_SECRET: key.secret, JWT_PUBLIC_KEY: '', JWKS_URL: '' }),
    },
  })
  return status ?? 1
}
