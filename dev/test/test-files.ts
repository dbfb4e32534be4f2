// Which files hold tests: unit tests beside their subjects, everything with processes or stores under test/.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

const FOLDERS = ['core', 'api', 'gateway', 'worker', 'client', 'web', 'edge', 'dev', 'test']

/** Every test file of the checkout, in a fixed order. */
export function findTestFiles(root: string): string[] {
  return FOLDERS.flatMap((folder) => testFilesIn(join(root, folder)))
}

function testFilesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts') && !file.includes('node_modules'))
    .sort()
    .map((file) => join(folder, file))
}
