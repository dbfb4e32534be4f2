/**
 * Renders the edge's configuration for containers, from EDGE_… variables (docs/deployment.md has their table):
 * `node dist/edge/main.js [file]`; without a file to standard output.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { renderForContainers } from './container-settings.ts'

const template = readFileSync(new URL('haproxy.cfg.template', import.meta.url), 'utf8')
const [file] = process.argv.slice(2)

try {
  const config = renderForContainers(template, process.env)
  if (file === undefined) process.stdout.write(config)
  else writeFileSync(file, config)
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 1
}
