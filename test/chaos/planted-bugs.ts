/** A copy of the built product with one bug in it: what the ledger must find. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export interface PlantedBug {
  name: string
  /** Below dist/. */
  file: string
  /** Must be found exactly once: a product that was rewritten needs its bugs planted anew. */
  healthy: string
  sick: string
}

const root = resolve(import.meta.dirname, '../..')

/** The roster's bug is planted in the join races: killed nodes gather peers on one node, which does not need the roster. */
export const PLANTED_BUGS: PlantedBug[] = [
  {
    name: 'messages are acknowledged before they are kept',
    file: 'gateway/main.js',
    healthy: 'this.#deps.relay.submit(new Submission(',
    sick: `this.#acknowledge(peer, incoming, id, formatSeq(peer.epoch,peer.delivered));
        this.#deps.relay.submit(new Submission(`,
  },
  {
    name: 'a join reads no tail',
    file: 'core/rooms/lua/join.lua',
    healthy: 'for _, entry in ipairs(tail) do table.insert(reply, entry) end',
    sick: '',
  },
]

/** A built product in a folder of its own that goes with {@link remove}. */
export interface Copy {
  distDir: string
  remove(): void
}

/** @throws where the healthy text is not there, or not once */
export function plant({ name, file, healthy, sick }: PlantedBug): Copy {
  const folder = mkdtempSync(join(tmpdir(), 'tchat-calling-planted-'))
  const distDir = join(folder, 'dist')
  cpSync(join(root, 'dist'), distDir, { recursive: true })
  cpSync(join(root, 'package.json'), join(folder, 'package.json'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const path = join(distDir, file)
  const parts = readFileSync(path, 'utf8').split(healthy)
  if (parts.length !== 2) {
    rmSync(folder, { recursive: true })
    throw new Error(`${file} holds the place for "${name}" ${parts.length - 1} times`)
  }
  writeFileSync(path, parts.join(sick))
  return { distDir, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
