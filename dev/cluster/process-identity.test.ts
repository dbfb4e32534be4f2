import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { identify, isAlive, livingPids, notePid, stopLeftovers } from './process-identity.ts'

describe('process identity', () => {
  let folder: string
  const children: ChildProcess[] = []

  function spawnSleeper(): number {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
    children.push(child)
    return child.pid ?? 0
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tchat-calling-identity-'))
  })

  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  it('is the same while a process lives and gone with it', async () => {
    const pid = spawnSleeper()
    const identity = identify(pid)
    if (!identity) throw new Error('a running process has an identity')
    expect(isAlive(identity)).to.equal(true)

    const child = children[0]
    child?.kill('SIGKILL')
    if (child) await once(child, 'exit')

    expect(isAlive(identity)).to.equal(false)
  })

  it('does not take another process with the same id for the noted one', () => {
    const pid = spawnSleeper()
    writeFileSync(join(folder, 'redis.json'), JSON.stringify({ pid, started: 'another time' }))

    expect(livingPids(folder).size).to.equal(0)
  })

  it('ends the noted processes, leaves a stranger with a noted id alone, and forgets all notes', async () => {
    const mine = spawnSleeper()
    const stranger = spawnSleeper()
    notePid(folder, 'gateway-1', mine)
    writeFileSync(join(folder, 'redis.json'), JSON.stringify({ pid: stranger, started: 'another time' }))
    writeFileSync(join(folder, 'edge.json'), '{"pid":')

    const stopped = await stopLeftovers(folder, 5_000)

    expect(stopped).to.deep.equal(['gateway-1'])
    expect(identify(mine)).to.equal(undefined)
    expect(identify(stranger)).not.to.equal(undefined)
    expect(readdirSync(folder)).to.deep.equal([])
  })
})
