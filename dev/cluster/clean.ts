// `make clean`: the checkout's cluster with its data, also where root keeps them outside.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { down } from './down.ts'
import { removeFolderForPostgres } from './postgres-binaries.ts'

/** Stops what runs and removes the run folder. */
export async function clean(runDir: string): Promise<void> {
  await down(runDir)
  removeFolderForPostgres(join(runDir, 'postgres'))
  rmSync(runDir, { recursive: true, force: true })
}
