// Makes the package of conformance/: the command, its trials and its reporter, with what they use inside.
import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { build } from 'esbuild'

const root = dirname(import.meta.dirname)
const out = join(root, 'conformance/dist')
rmSync(out, { recursive: true, force: true })
await build({
  entryPoints: ['main', 'trials', 'json-reporter'].map((name) => join(root, `conformance/${name}.ts`)),
  outdir: out,
  bundle: true,
  // The reporter looks trials up where the trials have put them.
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
