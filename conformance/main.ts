#!/usr/bin/env node
/**
 * The command. The trials run in a process of their own under Node's test runner, which prints what happens and writes
 * the reports; its exit code is this one's.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type Command, parseCommand, USAGE, UsageError } from './command-line.ts'
import { SETTINGS_VARIABLE } from './settings.ts'

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url))

async function start(args: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(process.execPath, [...args, here('./trials.js')], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  return code ?? 1
}

function reportersFor({ junit, json }: Command): string[] {
  const reporters: [string, string][] = [['spec', 'stdout']]
  if (junit !== undefined) reporters.push(['junit', junit])
  if (json !== undefined) reporters.push([new URL('./json-reporter.js', import.meta.url).href, json])
  return reporters.flatMap(([reporter, to]) => [`--test-reporter=${reporter}`, `--test-reporter-destination=${to}`])
}

async function main(args: string[]): Promise<number> {
  const command = parseCommand(args)
  if (command === 'help') {
    console.log(USAGE)
    return 0
  }
  if (command === 'list') return start([], { CALLING_CONFORMANCE_LIST: '1' })
  const env = {
    [SETTINGS_VARIABLE]: JSON.stringify(command.settings),
    CALLING_CONFORMANCE_ONLY: command.only ?? '',
    // Each socket adds listeners of Node's own to one report stream; there are more than ten of them, and no leak.
    NODE_NO_WARNINGS: '1',
  }
  return start(reportersFor(command), env)
}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  if (!(error instanceof UsageError)) throw error
  console.error(`${error.message}\n\n${USAGE}`)
  return 2
})
