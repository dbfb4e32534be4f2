/** Warnings about risky settings in production. Each process logs them once at its start. */
import type { Config } from './config.ts'

/** One sentence for each; empty outside production. */
export function deploymentWarnings({
  production,
  http,
  groups,
}: Pick<Config, 'production' | 'http' | 'groups'>): string[] {
  if (!production) return []
  const warnings: string[] = []
  if (http.corsOrigins.includes('*'))
    warnings.push('CORS_ORIGINS is *: pages of every origin may open sockets and read answers. List your own origins.')
  if (groups.all.some(({ redisUrl }) => new URL(redisUrl).password === ''))
    warnings.push(
      'Redis is used without a password: everybody who reaches its port may read conversations. Put one into its URL.',
    )
  return warnings
}
