// `make clean`: the checkout's cluster with its data, also where root keeps them outside.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { down } from './down.ts'
import { folderForPostgres } from './postgres-binaries.ts'

/** Stops what runs and removes the run folder. */
export async function clean(runDir: string): Promise<void> {
  await down(runDir)
  rmSync(folderForPostgres(join(runDir, 'postgres')), { recursive: true, force: true })
  rmSync(runDir, { recursive: true, force: true })
}
