/** The house rules that a machine can check. Reads files alone; ARCHITECTURE.md and CONTRIBUTING.md give the reasons. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, posix } from 'node:path'
import { expect } from 'chai'
import { parse } from 'yaml'
import { ERRORS } from '../core/protocol/errors.ts'
import { CLOSE } from '../core/protocol/signaling.ts'

const root = dirname(import.meta.dirname)

/** What lies in the checkout and is not of the project. */
const FOREIGN = new Set(['node_modules', 'dist'])

/** Folders of the product in the wide sense: what a change of behaviour needs to touch. */
const PRODUCT = [
  'core',
  'api',
  'gateway',
  'worker',
  'callctl',
  'client',
  'conformance',
  'mock',
  'web',
  'migrations',
  'edge',
  'observability',
  'dev',
]

/** Longest file of the product: one idea fits, two do not. */
const MAX_LINES = 250

function listFiles(folder = ''): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (FOREIGN.has(entry.name) || entry.name.startsWith('.')) return []
    const path = posix.join(folder, entry.name)
    return entry.isDirectory() ? listFiles(path) : [path]
  })
}

const files = listFiles()
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const isIn = (path: string, place: string) => path === place || path.startsWith(`${place}/`)

const productFiles = files.filter((path) => PRODUCT.some((folder) => isIn(path, folder)))
const sources = productFiles.filter((path) => /\.tsx?$/.test(path) && !path.endsWith('.test.ts'))
const markdown = files.filter((path) => path.endsWith('.md'))

/** The program without what it says about itself. */
const codeOf = (path: string) => read(path).replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm, '')

interface Import {
  file: string
  /** A path in the checkout for our own files, else the name of a package. */
  target: string
  isOwn: boolean
  isTypeOnly: boolean
}

const IMPORT = /^(?:import|export)\s+(?:(type)\s+)?(?:[^'"]*?\sfrom\s+)?'([^']+)'|import\('([^']+)'\)/gm

function importsOf(file: string): Import[] {
  return [...codeOf(file).matchAll(IMPORT)].map(([, type, from, dynamic]) => {
    const target = from ?? dynamic ?? ''
    const isOwn = target.startsWith('.')
    const path = isOwn ? posix.join(posix.dirname(file), target) : target
    return { file, target: path, isOwn, isTypeOnly: type === 'type' }
  })
}

const imports = sources.flatMap(importsOf)

/** Where a folder's own imports may lead beside itself. */
const MAY_IMPORT: Record<string, string[]> = {
  'core/protocol': [],
  'core/platform': ['core/protocol'],
  'core/presence': ['core/platform', 'core/protocol'],
  'core/demo': ['core/platform'],
  'core/rooms': ['core/presence', 'core/platform', 'core/protocol'],
  'core/webhooks': ['core/platform', 'core/protocol'],
  'core/calls': ['core/presence', 'core/webhooks', 'core/platform', 'core/protocol'],
  'core/context.ts': ['core/calls', 'core/rooms', 'core/presence', 'core/platform', 'core/protocol'],
  api: ['core'],
  gateway: ['core'],
  worker: ['core'],
  callctl: ['core'],
  client: ['core/protocol'],
  // A program from outside knows nothing of what it tries.
  conformance: [],
  mock: [],
  // The page calls as any application does: by what the package exports.
  web: ['client/public-api.ts', 'core/protocol'],
  migrations: ['core/platform', 'core/protocol'],
  edge: [],
  observability: [],
  // The test runner is there, too.
  dev: ['core/protocol', 'edge', 'test/support'],
}

/** Where a package may be used: its only homes. A package that is not here has none in the product. */
const HOMES: Record<string, string[]> = {
  express: ['api'],
  cors: ['api/middleware/cross-origin.ts'],
  helmet: ['api/middleware/security-headers.ts'],
  yaml: ['api/routes/docs.ts', 'observability'],
  zod: ['api/parse.ts', 'conformance/shapes.ts'],
  'socket.io': ['gateway/socketio', 'mock/sockets/socket-io-door.ts'],
  'socket.io-parser': ['gateway/socketio'],
  ws: ['gateway/raw', 'gateway/websocket', 'conformance/drivers/raw.ts', 'mock/sockets/raw-door.ts'],
  'socket.io-client': ['conformance/drivers/socket-io.ts'],
  '@socket.io/redis-adapter': ['gateway/server.ts'],
  '@socket.io/redis-emitter': ['core/calls/call-events.ts'],
  ioredis: ['core/platform/redis.ts'],
  knex: ['core/platform/postgres.ts'],
  jsonwebtoken: ['core/platform/tokens.ts', 'core/platform/token-minting.ts'],
  preact: ['web'],
  'preact/hooks': ['web'],
  'rate-limiter-flexible': ['core/platform/rate-limiter.ts'],
  pino: ['core/platform/logger.ts'],
  'prom-client': ['core', 'api', 'gateway', 'worker', 'callctl'],
}

/** Packages whose types may be named elsewhere, because what they describe is handed around. */
const HANDED_AROUND: Record<string, string[]> = {
  ws: ['gateway/socketio'],
  ioredis: ['core', 'worker'],
  knex: ['core', 'migrations'],
}

const describeImport = ({ file, target }: Import) => `${file} imports ${target}`

describe('The imports', () => {
  it('go in one direction', () => {
    const wrong = imports.filter(({ file, target, isOwn }) => {
      const home = Object.keys(MAY_IMPORT).find((place) => isIn(file, place))
      if (!isOwn || home === undefined) return isOwn
      return ![home, ...(MAY_IMPORT[home] ?? [])].some((place) => isIn(target, place))
    })

    expect(wrong.map(describeImport)).to.deep.equal([])
  })

  it('of core/protocol name no package and nothing of Node', () => {
    const wrong = imports.filter(({ file, isOwn }) => isIn(file, 'core/protocol') && !isOwn)

    expect(wrong.map(describeImport)).to.deep.equal([])
  })

  it('of client take types alone from outside: nothing of the server is in its bundle', () => {
    const outside = imports.filter(({ file, target }) => isIn(file, 'client') && !isIn(target, 'client'))

    expect(outside.length).to.be.above(5)
    expect(outside.filter(({ isTypeOnly }) => !isTypeOnly).map(describeImport)).to.deep.equal([])
  })

  it('of web take types alone from the server: what it does in calls, the client does', () => {
    const outside = imports.filter(({ file, target }) => isIn(file, 'web') && isIn(target, 'core'))

    expect(outside.filter(({ isTypeOnly }) => !isTypeOnly).map(describeImport)).to.deep.equal([])
  })

  it('use a package only where it is at home', () => {
    const wrong = imports.filter(({ file, target, isOwn, isTypeOnly }) => {
      if (isOwn || target.startsWith('node:') || isIn(file, 'dev')) return false
      const homes = [...(HOMES[target] ?? []), ...(isTypeOnly ? (HANDED_AROUND[target] ?? []) : [])]
      return !homes.some((place) => isIn(file, place))
    })

    expect(wrong.map(describeImport)).to.deep.equal([])
  })

  it('are found by this test', () => {
    expect(imports.length).to.be.above(sources.length)
    expect(imports.map(describeImport)).to.include('gateway/server.ts imports core/context.ts')
  })
})

describe('The files of the product', () => {
  it(`have at most ${MAX_LINES} lines`, () => {
    const programs = productFiles.filter((path) => /\.(tsx?|mjs|lua|css)$/.test(path) && !path.endsWith('.test.ts'))
    const long = programs.map((path) => ({ path, lines: read(path).split('\n').length - 1 }))

    expect(long.filter(({ lines }) => lines > MAX_LINES)).to.deep.equal([])
  })

  it('read the environment only where a process starts, and hand it on whole', () => {
    // Programs that are no process of the service.
    const others = ['dev', 'conformance', 'mock']
    const isOther = (path: string) => others.some((folder) => isIn(path, folder))
    const readers = sources.filter((path) => !isOther(path) && /process\s*\.\s*env\b/.test(codeOf(path)))

    const starts = ['api', 'callctl', 'edge', 'gateway', 'migrations', 'worker'].map((folder) => `${folder}/main.ts`)
    expect(readers).to.have.members(starts)
    const handedOn = /loadConfig\('\w+', process\.env\)|renderForContainers\(\w+, process\.env\)/
    for (const path of readers) expect(codeOf(path), path).to.match(handedOn)
  })

  it('write the status of a call in one place', () => {
    const writers = sources.filter((path) => /UPDATE calls SET[^;`]*\bstatus\s*=|INSERT INTO calls\b/.test(read(path)))

    expect(writers).to.deep.equal(['core/calls/call-transitions.ts'])
  })

  // A package's users need one place to import from: that file is its barrel. Node's test runner wants a reporter by
  // its default export.
  it('know no any, no enum, no default export and no barrel', () => {
    const forbidden = {
      any: /[:<(|&,]\s*any\b(?!\s*\w)|\bas any\b|\bany\[\]/,
      enum: /^\s*(?:export\s+)?(?:declare\s+)?(?:const\s+)?enum\s/m,
      'default export': /^export\s+default\b|\bas default\b/m,
      're-export': /^export\s+(?:type\s+)?(?:\*|\{[^}]*\})\s*(?:as \w+\s+)?from\b/m,
    }
    const found = sources.flatMap((path) =>
      Object.entries(forbidden).flatMap(([name, pattern]) => (pattern.test(codeOf(path)) ? [`${path}: ${name}`] : [])),
    )

    expect(found).to.deep.equal([
      'client/public-api.ts: re-export',
      'conformance/json-reporter.ts: default export',
      'mock/public-api.ts: re-export',
    ])
  })

  it('have names that say what is in them', () => {
    const vague = sources.filter((path) =>
      /^(index|utils?|helpers?|common|misc|manager|lib)\.tsx?$/.test(basename(path)),
    )
    const odd = sources.filter((path) => !/^[a-z0-9]+(-[a-z0-9]+)*\.tsx?$/.test(basename(path)))

    expect([...vague, ...odd]).to.deep.equal([])
  })
})

/** The text between a heading and the next one of the same or a higher level. */
function section(path: string, heading: string): string {
  const [, ...rest] = read(path).split(`\n${heading}\n`)
  return rest.join('').split(new RegExp(`^#{1,${heading.indexOf(' ')}} `, 'm'))[0] ?? ''
}

describe('The documents', () => {
  const protocol = read('docs/signaling-protocol.md')

  it('name every error code', () => {
    const openapi = read('api/openapi.yaml')
    for (const code of Object.keys(ERRORS)) {
      expect(openapi, 'api/openapi.yaml').to.include(code)
      expect(protocol, 'docs/signaling-protocol.md').to.include(code)
    }
  })

  it('have every message of the protocol, by name and as a schema', () => {
    const types = new Set([...read('core/protocol/signaling.ts').matchAll(/\btype: '([a-z-]+)'/g)].map(([, t]) => t))
    const { components } = parse(read('docs/asyncapi.yaml')) as { components: { messages: object } }

    expect(types.size).to.equal(15)
    expect(Object.keys(components.messages)).to.have.members([...types])
    for (const type of types) expect(protocol).to.match(new RegExp(`^### .*\\b${type}\\b`, 'm'))
  })

  it('explain every close code', () => {
    const explained = [...section('docs/signaling-protocol.md', '### Close codes').matchAll(/^\| (\d{4}) \|/gm)]

    expect(explained.map(([, code]) => Number(code))).to.include.members(Object.values(CLOSE))
  })

  it('name only targets of make that exist', () => {
    const targets = [...read('Makefile').matchAll(/^([a-z-]+):/gm)].map(([, target]) => target)
    for (const path of markdown) {
      const code = read(path).match(/```[\s\S]*?```|`[^`\n]+`/g) ?? []
      const named = code.flatMap((text) => [...text.matchAll(/\bmake (?:-s )?([a-z][a-z-]*)/g)].map(([, name]) => name))
      expect(targets, path).to.include.members(named)
    }
  })

  it('link to what is there', () => {
    const broken = markdown.flatMap((path) =>
      linksOf(path)
        .filter((link) => !resolves(path, link))
        .map((link) => `${path}: ${link}`),
    )

    expect(broken).to.deep.equal([])
  })

  it('map files that are there', () => {
    const named = read('ARCHITECTURE.md').match(/[\w./-]+\.(?:ts|lua)\b/g) ?? []
    const missing = named.filter((name) => !files.some((path) => path === name || path.endsWith(`/${name}`)))

    expect(named).to.have.length.above(30)
    expect(missing).to.deep.equal([])
  })

  it('have one sentence a line', () => {
    const crowded = markdown.flatMap((path) =>
      proseOf(path)
        .filter((line) => /[.!?] (?:[A-Z]|`[A-Za-z])/.test(line))
        .map((line) => `${path}: ${line}`),
    )

    expect(crowded).to.deep.equal([])
  })
})

/** Lines outside code and tables. */
function proseOf(path: string): string[] {
  return read(path)
    .replace(/```[\s\S]*?```/g, '')
    .split('\n')
    .filter((line) => !line.startsWith('|') && !/^#+ \d+\. /.test(line))
    .map((line) => line.replace(/^ *(?:[-*]|\d+\.) /, ''))
}

function linksOf(path: string): string[] {
  const text = read(path).replace(/```[\s\S]*?```/g, '')
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link ?? '').filter((link) => !/^[a-z]+:/.test(link))
}

function resolves(from: string, link: string): boolean {
  const [file = '', anchor] = link.split('#')
  const target = file === '' ? from : posix.join(posix.dirname(from), file)
  if (!existsSync(join(root, target))) return false
  return anchor === undefined || headingsOf(target).includes(anchor)
}

/** Anchors as the usual renderers make them. */
function headingsOf(path: string): string[] {
  const headings = read(path)
    .replace(/```[\s\S]*?```/g, '')
    .matchAll(/^#+ (.+)$/gm)
  return [...headings].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}
