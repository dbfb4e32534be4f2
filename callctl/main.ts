#!/usr/bin/env node
/** callctl, the operators' command: looks into a running deployment, and changes a little of it (docs/callctl.md). */
import { loadConfig } from '../core/platform/config.ts'
import { runCallctl } from './run.ts'

process.stdout.on('error', () => process.exit(0))
process.exitCode = await runCallctl(process.argv.slice(2), () => loadConfig('callctl', process.env), {
  out: (text) => process.stdout.write(`${text}\n`),
  err: (text) => process.stderr.write(`${text}\n`),
})
