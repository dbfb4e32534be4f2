// Makes the processes into dist/, the packages of client, conformance suite and mock, and the page, and copies the files that are read at run
// time (Lua scripts, the OpenAPI document, the edge's template).
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

const root = dirname(import.meta.dirname)
// Anew each time: what is compiled of a deleted source, a migration say, must not run any more.
rmSync(join(root, 'dist'), { recursive: true, force: true })
execFileSync(process.execPath, [join(import.meta.dirname, 'build-processes.mjs')], { stdio: 'inherit' })

execFileSync(process.execPath, [join(import.meta.dirname, 'build-client.mjs')], { stdio: 'inherit' })

execFileSync(process.execPath, [join(import.meta.dirname, 'build-conformance.mjs')], { stdio: 'inherit' })

execFileSync(process.execPath, [join(import.meta.dirname, 'build-mock.mjs')], { stdio: 'inherit' })

execFileSync(process.execPath, [join(import.meta.dirname, 'build-web.mjs')], { stdio: 'inherit' })

/** What is read at run time, by folder. */
const ASSETS = /\.(lua|yaml|template)$/
for (const folder of ['api', 'core', 'edge', 'gateway']) copyAssets(folder)

function copyAssets(folder) {
  const from = join(root, folder)
  if (!statSync(from, { throwIfNoEntry: false })?.isDirectory()) return
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) copyAssets(path)
    else if (ASSETS.test(entry.name)) {
      mkdirSync(join(root, 'dist', folder), { recursive: true })
      cpSync(join(root, path), join(root, 'dist', path))
    }
  }
}
