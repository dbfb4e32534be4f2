// Makes the package of mock/: the library, its command, its declarations, with what they use inside.
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { build } from 'esbuild'
import { nameDeclarations } from './name-declarations.mjs'

const root = dirname(import.meta.dirname)
const out = join(root, 'mock/dist')
rmSync(out, { recursive: true, force: true })
await build({
  entryPoints: ['main', 'public-api'].map((name) => join(root, `mock/${name}.ts`)),
  outdir: out,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  legalComments: 'none',
  // Packages that were written for require() find it here.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
})
const tsc = join(root, 'node_modules/typescript/bin/tsc')
execFileSync(process.execPath, [tsc, '-p', join(root, 'mock/tsconfig.types.json')], { stdio: 'inherit' })
nameDeclarations(join(out, 'types'))
