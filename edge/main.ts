/**
 * Renders the edge's configuration for containers, from EDGE_… variables (docs/deployment.md has their table):
 * `node dist/edge/main.js [file]`; without a file to standard output.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { renderForContainers } from './container-settings.ts'

const template = readFileSync(join(import.meta.dirname, 'haproxy.cfg.template'), 'utf8')
const [file] = process.argv.slice(2)

try {
  const config = renderForContainers(template, process.env)
  if (file === undefined) process.stdout.write(config)
  else writeFileSync(file, config)
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 1
}
