// Makes the package of client/: one file without dependencies, its declarations, and those of the wire that they name.
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { nameDeclarations } from './name-declarations.mjs'

const root = dirname(import.meta.dirname)
const out = join(root, 'client/dist')
rmSync(out, { recursive: true, force: true })
await build({
  entryPoints: [join(root, 'client/public-api.ts')],
  outfile: join(out, 'calling-client.js'),
  bundle: true,
  format: 'esm',
  // No platform: what only one of browser and Node has is taken from the options.
  platform: 'neutral',
  target: 'es2022',
  minify: true,
  legalComments: 'none',
})
const tsc = join(root, 'node_modules/typescript/bin/tsc')
execFileSync(process.execPath, [tsc, '-p', join(root, 'client/tsconfig.types.json')], { stdio: 'inherit' })
nameDeclarations(join(out, 'types'))

const code = readFileSync(join(out, 'calling-client.js'))
console.log(`client: ${code.length} bytes, ${gzipSync(code, { level: 9 }).length} with gzip`)
