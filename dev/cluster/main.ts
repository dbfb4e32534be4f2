// The commands behind `make up`, `make down`, `make status`, `make scale`, `make token`, `make callctl` and `make clean`.
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { callctl } from './callctl.ts'
import { clean } from './clean.ts'
import { down } from './down.ts'
import { askToScale } from './scaling.ts'
import { status } from './status.ts'
import { mintToken, readTokenKey } from './token-key.ts'
import { up } from './up.ts'
import { UserError } from './user-error.ts'

const runDir = join(dirname(dirname(import.meta.dirname)), '.run')

async function main(args: string[]): Promise<void> {
  // Its options are its own business.
  if (args[0] === 'callctl') {
    process.exitCode = callctl(runDir, args.slice(1), process.env)
    return
  }
  const text = { type: 'string' } as const
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: { user: text, name: text, device: text, scope: text, gateways: text },
  })
  const [command] = positionals
  if (command === 'up') await up(runDir, process.env)
  else if (command === 'down') await down(runDir)
  else if (command === 'clean') await clean(runDir)
  else if (command === 'status') process.exitCode = (await status(runDir)) ? 0 : 1
  else if (command === 'token') printToken(values)
  else if (command === 'scale') await askToScale(runDir, values.gateways)
  else throw new UserError('Say one of: up, down, status, scale, token, clean')
}

function printToken(values: { user?: string; name?: string; device?: string; scope?: string }): void {
  const key = readTokenKey(runDir)
  if (!key) throw new UserError('No cluster with tokens of its own runs here. Start one with "make up".')
  console.log(mintToken(key, values))
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  // A stack helps nobody with a taken port; DEBUG=1 shows it all the same.
  const plain = error instanceof UserError || !process.env.DEBUG
  console.error(plain && error instanceof Error ? error.message : error)
  process.exitCode = 1
}
