// Makes the package of client/: one file without dependencies, its declarations, and those of the wire that they name.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

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

/** The compiler leaves the names of sources in declarations; whoever installs the package has none. */
function nameDeclarations(folder) {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = join(entry.parentPath ?? entry.path, entry.name)
    writeFileSync(file, readFileSync(file, 'utf8').replace(/(from |import\()(['"])(\.[^'"]+)\.ts\2/g, '$1$2$3.js$2'))
  }
}
