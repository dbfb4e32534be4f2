// Makes one file of each process: our modules and the libraries that it uses. It starts in half the time that a thousand
// modules take, and with less memory (docs/decisions/0120-one-file-a-process.md).
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { build } from 'esbuild'

const root = dirname(import.meta.dirname)
const out = join(root, 'dist')
const PROCESSES = ['api', 'callctl', 'edge', 'gateway', 'migrations', 'worker']

/** Drivers of other databases and native parts that are not installed; the libraries look for them when asked to. */
const ABSENT = [
  'better-sqlite3',
  'bufferutil',
  'mariadb',
  'mysql',
  'mysql2',
  'oracledb',
  'pg-native',
  'pg-query-stream',
  'sqlite3',
  'tedious',
  'utf-8-validate',
]

/** Our modules find the files that they read at run time beside themselves: below dist/ these lie as in the sources. */
const ownPlaces = {
  name: 'own places',
  setup(build) {
    build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8')
      const own = relative(root, path).split(sep).join('/')
      if (own.startsWith('node_modules/') || !text.includes('import.meta.url')) return undefined
      const contents = text.replaceAll('import.meta.url', `new URL('../${own}', import.meta.url).href`)
      return { contents, loader: 'ts' }
    })
  },
}

const { metafile } = await build({
  metafile: true,
  entryPoints: PROCESSES.map((name) => ({ in: join(root, name, 'main.ts'), out: join(name, 'main') })),
  absWorkingDir: root,
  outdir: out,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  sourcemap: 'linked',
  sourcesContent: false,
  // V8 keeps the text: without comments it is a third, and ASCII, of which a character is a byte. Names stay and lines
  // stay lines, so that a stack trace says where to look.
  minifyWhitespace: true,
  minifySyntax: true,
  lineLimit: 160,
  charset: 'ascii',
  // What the libraries require() of Node itself.
  banner: {
    js: "import { createRequire as createRequireOfNode } from 'node:module'\nconst require = createRequireOfNode(import.meta.url)",
  },
  external: ABSENT,
  plugins: [ownPlaces],
  logLevel: 'warning',
  // Their licences lie beside, in full.
  legalComments: 'none',
})
writeFileSync(join(out, 'licenses.txt'), licenses(Object.keys(metafile.inputs)))

/** The licences of the libraries that went in: whoever passes the files on passes them on, too. */
function licenses(inputs) {
  const folders = new Set(inputs.flatMap((input) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1] ?? []))
  const texts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
    const file = readdirSync(join(root, folder)).find((entry) => /^licen[cs]e/i.test(entry))
    const text = file === undefined ? '' : `\n${readFileSync(join(root, folder, file), 'utf8').trim()}\n`
    return `${name} ${version} (${license})\n${text}`
  })
  return texts.join(`\n${'-'.repeat(80)}\n`)
}
