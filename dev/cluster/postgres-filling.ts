// Test servers that begin with a schema: one server runs the migrations, and the others are copies of what it left.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { copyTree, moveInto } from './folders.ts'
import type { Postgres } from './postgres.ts'
import type { PostgresBinaries } from './postgres-binaries.ts'
import { partialOf, templatesFolder } from './postgres-data.ts'

/** The content of a database at the start of its server. */
export interface Filling {
  /** All that decides what {@link fill} writes: where it is the same, the content is. */
  key: string
  /** Called once for each key on this machine, or a few times where several processes begin at once. */
  fill(url: string): Promise<void>
}

/** A template takes 40 MB, and each change of the migrations' code makes a new one. */
const UNUSED_AFTER_MS = 24 * 3_600_000

/**
 * Makes a data folder with this content, by a copy where one was made before.
 * @param start starts a server with an empty database, to be filled
 * @throws what `fill` throws; no template stays behind then
 */
export async function copyFilled(
  { key, fill }: Filling,
  binaries: PostgresBinaries,
  files: Postgres['files'],
  start: () => Promise<Postgres>,
): Promise<void> {
  if (existsSync(join(files.data, 'PG_VERSION'))) return
  const template = templateOf(key, binaries)
  if (!existsSync(template)) await makeTemplate(template, fill, start)
  // Others tell by it that it is in use.
  utimesSync(template, new Date(), new Date())
  copyTree(join(template, 'data'), files.data)
  copyTree(join(template, 'password'), files.password)
}

/** Where the template of this key is, once it was needed. */
export function templateOf(key: string, { version }: PostgresBinaries): string {
  const hash = createHash('sha256').update(key).digest('hex').slice(0, 16)
  return join(templatesFolder(), `filled-${version}-${hash}`)
}

async function makeTemplate(template: string, fill: Filling['fill'], start: () => Promise<Postgres>): Promise<void> {
  removeUnused()
  const server = await start()
  try {
    await fill(server.url)
    // A server that ended well leaves nothing to recover.
    await server.pause()
    const partial = partialOf(template)
    copyTree(server.files.data, join(partial, 'data'))
    copyTree(server.files.password, join(partial, 'password'))
    moveInto(partial, template)
  } finally {
    await server.stop()
  }
}

/** Removes templates that no run of the last day began with, and what interrupted runs left of theirs. */
function removeUnused(): void {
  const folder = templatesFolder()
  for (const name of readdirSync(folder).filter((each) => each.startsWith('filled-'))) {
    const place = join(folder, name)
    const { mtimeMs = Date.now() } = statSync(place, { throwIfNoEntry: false }) ?? {}
    if (Date.now() - mtimeMs > UNUSED_AFTER_MS) rmSync(place, { recursive: true, force: true })
  }
}
