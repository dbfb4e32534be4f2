/** The images that docker-compose.yml names: pulled where a registry is at hand, else stand-ins made of Debian's packages. */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Engine } from './engine.ts'

const root = dirname(dirname(import.meta.dirname))
const DEBIAN = 'tchat-calling-stand-in/debian:bookworm'
/** Kept from run to run; `make clean` removes it. */
const BASE = join(root, '.tools/debian-bookworm.tar')

/** What the stand-ins are; there is none for Grafana, which Debian does not have. */
const TARGETS = ['node', 'postgres', 'redis', 'haproxy', 'coturn', 'prometheus'] as const
export type Target = (typeof TARGETS)[number]

/** The names in our files, by what they are. */
export function namedImages(): Record<Target, string> {
  const compose = readFileSync(join(root, 'docker-compose.yml'), 'utf8')
  const named = (variable: string) => {
    const name = new RegExp(`\\$\\{${variable}:-([^}]+)\\}`).exec(compose)?.[1]
    if (name === undefined) throw new Error(`docker-compose.yml has no ${variable}`)
    return name
  }
  const node = /^ARG NODE_IMAGE=(\S+)$/m.exec(readFileSync(join(root, 'Dockerfile'), 'utf8'))?.[1]
  if (node === undefined) throw new Error('The Dockerfile has no NODE_IMAGE')
  return {
    node,
    postgres: named('POSTGRES_IMAGE'),
    redis: named('REDIS_IMAGE'),
    haproxy: named('HAPROXY_IMAGE'),
    coturn: named('COTURN_IMAGE'),
    prometheus: named('PROMETHEUS_IMAGE'),
  }
}

/** Gets all of them, and says by which name and from where. Returns whether they are stand-ins. */
export function provideImages(engine: Engine, say: (line: string) => void): boolean {
  const images = namedImages()
  const isThere = (name: string) => {
    try {
      engine.docker(['image', 'inspect', name])
      return true
    } catch {
      return false
    }
  }
  if (Object.values(images).every(isThere)) return false
  try {
    engine.docker(['pull', images.node])
    return false
  } catch (error) {
    say(`no registry is at hand (${firstLine(error)}): stand-ins are made of Debian's packages`)
  }
  makeStandIns(engine, images, say)
  return true
}

function makeStandIns(engine: Engine, images: Record<Target, string>, say: (line: string) => void): void {
  if (!existsSync(BASE)) makeBase(say)
  engine.docker(['import', BASE, DEBIAN])
  const context = mkdtempSync(join(tmpdir(), 'tchat-calling-stand-ins-'))
  try {
    cpSync(join(import.meta.dirname, 'stand-ins'), context, { recursive: true })
    provideNode(context, /node:(\d+)/.exec(images.node)?.[1] ?? '24')
    for (const target of TARGETS) {
      const build = [
        'build',
        '--quiet',
        '--network',
        'host',
        '--target',
        target,
        '--build-arg',
        `DEBIAN=${DEBIAN}`,
        '--tag',
        images[target],
      ]
      engine.docker([...build, context], { env: { DOCKER_BUILDKIT: '0' } })
      const version = engine
        .docker([
          ...['run', '--rm', '--network', 'none', '--entrypoint', 'sh'],
          ...[images[target], '-c', VERSIONS[target]],
        ])
        .trim()
      say(`stand-in for ${images[target]}: ${version.split('\n')[0]}`)
    }
  } finally {
    rmSync(context, { recursive: true, force: true })
  }
}

const VERSIONS: Record<Target, string> = {
  node: 'echo "Node $(node --version) on Debian 12"',
  postgres: 'postgres --version',
  redis: 'redis-server --version',
  haproxy: 'haproxy -v',
  coturn: 'dpkg-query --show coturn',
  prometheus: 'prometheus --version 2>&1',
}

/** A Debian from its packages alone, as an archive. */
function makeBase(say: (line: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'tchat-calling-debian-'))
  try {
    say('debootstrap makes a Debian 12')
    step('debootstrap', ['--variant=minbase', 'bookworm', join(folder, 'rootfs')])
    step('sh', ['-c', `rm -rf ${folder}/rootfs/var/cache/apt/archives/*.deb ${folder}/rootfs/var/lib/apt/lists/*`])
    mkdirSync(dirname(BASE), { recursive: true })
    step('tar', ['-C', join(folder, 'rootfs'), '-cf', `${BASE}.new`, '.'])
    step('mv', [`${BASE}.new`, BASE])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Node of the wanted major as npm's own package has it, and this machine's npm. */
function provideNode(context: string, major: string): void {
  const name = `node-linux-${process.arch}`
  const fetched = join(context, 'fetched')
  step('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', fetched, `${name}@${major}`])
  mkdirSync(join(context, 'node/bin'), { recursive: true })
  cpSync(join(fetched, 'node_modules', name, 'bin/node'), join(context, 'node/bin/node'))
  const npm = realpathSync(spawnSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).stdout.trim())
  cpSync(dirname(dirname(npm)), join(context, 'node/lib/node_modules/npm'), { recursive: true })
  rmSync(fetched, { recursive: true, force: true })
  mkdirSync(join(context, 'certificates'))
  cpSync(process.env.NODE_EXTRA_CA_CERTS ?? '/dev/null', join(context, 'certificates/extra.crt'))
}

function step(command: string, args: string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] })
  if (status !== 0)
    throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${error?.message ?? stderr.slice(-2000)}`)
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ').slice(0, 160)
}
