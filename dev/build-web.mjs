// Makes the page into dist/web/: index.html and files whose names have a hash of their content in them.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'

const root = dirname(import.meta.dirname)
const out = join(root, 'dist/web')
await build({
  configFile: false,
  root: join(root, 'web'),
  logLevel: 'warn',
  publicDir: false,
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: out,
    emptyOutDir: true,
    target: 'es2022',
    // The policy of the page allows no data: address.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
})

const files = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
const bytes = files.map(
  (entry) => gzipSync(readFileSync(join(entry.parentPath ?? entry.path, entry.name)), { level: 9 }).length,
)
console.log(`page: ${files.length} files, ${bytes.reduce((sum, size) => sum + size, 0)} bytes with gzip`)
