// `make scale gateways=4`: has the supervisor of another shell add gateways, or drain the last ones, and reload the edge.
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Cluster } from './cluster.ts'
import { findSupervisor } from './supervisor-lock.ts'
import { UserError } from './user-error.ts'
import { waitUntil } from './wait-until.ts'

/** A start takes 20 s at most, a drain 25 s; each has a reload behind it. */
const DEADLINE_MS = 60_000

const wishIn = (runDir: string) => join(runDir, 'scale.json')
const answerIn = (runDir: string) => join(runDir, 'scaled.json')

/** Returns once as many gateways run, and the edge knows them. */
export async function askToScale(runDir: string, text: string | undefined): Promise<void> {
  const gateways = Number(text)
  if (!/^\d+$/.test(text ?? '') || gateways < 1 || gateways > 64)
    throw new UserError('Say how many, from 1 to 64: make scale gateways=4')
  const supervisor = findSupervisor(runDir)
  if (!supervisor) throw new UserError('No cluster runs here. Start one with "make up".')
  rmSync(answerIn(runDir), { force: true })
  writeFileSync(wishIn(runDir), JSON.stringify({ gateways }))
  process.kill(supervisor.pid, 'SIGUSR2')
  const answer = await waitUntil('the cluster was not scaled', DEADLINE_MS, () =>
    readFileSync(answerIn(runDir), 'utf8'),
  )
  rmSync(answerIn(runDir), { force: true })
  const { error } = JSON.parse(answer) as { error?: string }
  if (error !== undefined) throw new UserError(error)
  console.log(`${gateways} gateways`)
}

/** Serves {@link askToScale}, one wish after the other, until the process ends. */
export function serveScaling(runDir: string, cluster: Cluster): void {
  let last = Promise.resolve()
  process.on('SIGUSR2', () => {
    last = last.then(() => scaleAsAsked(runDir, cluster))
  })
}

async function scaleAsAsked(runDir: string, cluster: Cluster): Promise<void> {
  if (!existsSync(wishIn(runDir))) return
  let answer: { error?: string } = {}
  try {
    const { gateways } = JSON.parse(readFileSync(wishIn(runDir), 'utf8')) as { gateways: number }
    rmSync(wishIn(runDir))
    await cluster.scale('gateway', gateways)
  } catch (error) {
    answer = { error: error instanceof Error ? error.message : String(error) }
  }
  // As a whole: the asker reads it as soon as it is there.
  writeFileSync(`${answerIn(runDir)}.partial`, JSON.stringify(answer))
  renameSync(`${answerIn(runDir)}.partial`, answerIn(runDir))
}
