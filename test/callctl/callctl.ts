/** Runs the operator's command, as its program does or as a program of its own, with the environment of a cluster. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { runCallctl } from '../../callctl/run.ts'
import { loadConfig } from '../../core/platform/config.ts'

const program = join(import.meta.dirname, '..', '..', 'dist', 'callctl', 'main.js')

export interface Ran {
  code: number | null
  stdout: string
  stderr: string
}

type Env = Record<string, string | undefined>

/** Runs one command to its end in this process: the same as the program, without the second that its start takes. */
export async function callctl(env: Env, ...args: string[]): Promise<Ran> {
  const ran = { stdout: '', stderr: '' }
  const code = await runCallctl(args, () => loadConfig('callctl', env), {
    out(text) {
      ran.stdout += `${text}\n`
    },
    err(text) {
      ran.stderr += `${text}\n`
    },
  })
  return { code, ...ran }
}

/** Runs the built program. */
export async function spawnCallctl(env: Env, ...args: string[]): Promise<Ran> {
  const child = spawn(process.execPath, [program, ...args], { env: { PATH: process.env.PATH, ...env } })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
  })
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, stdout, stderr }
}

/** What a command that must succeed says with `--json`. */
export async function callctlJson<T>(env: Env, ...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await callctl(env, ...args, '--json')
  if (code !== 0) throw new Error(`callctl ${args.join(' ')} ended with ${code}: ${stderr}`)
  return JSON.parse(stdout) as T
}
