/** `callctl drain` */
import { setTimeout as pause } from 'node:timers/promises'
import type { NodeDirectory, NodeRow } from '../../core/rooms/node-directory.ts'
import { onlyPositional, readNumber } from '../arguments.ts'
import { type Command, Refusal } from '../command.ts'
import { directoryOf, findNode } from '../find-node.ts'
import { stateOf } from './nodes.ts'

/** A node tells how it is with each beat, every 2 s. */
const LOOK_EVERY_MS = 500

export const drain: Command = {
  name: 'drain',
  usage: 'drain <node>',
  summary: 'send the connections of a gateway to the others',
  help:
    'The same drain as SIGTERM starts: not ready, no new handshakes, peers sent away in waves; calls go on elsewhere.\n' +
    'The node then stays, drained, until it is stopped: it does not serve again. With --exit it ends by itself, and\n' +
    'whoever runs it may start it anew. Needs Redis, whose password is the permission.',
  options: {
    exit: { type: 'boolean', about: 'end the process after the drain, as SIGTERM does' },
    'no-wait': { type: 'boolean', about: 'ask, and do not wait until it is done' },
    timeout: { type: 'string', about: 'seconds to wait, 60 by default' },
  },
  async run(input, stores) {
    const name = onlyPositional(input, 'node')
    const timeoutSeconds = readNumber(input, 'timeout', { min: 1, max: 3600, fallback: 60 })
    const node = await findNode(stores, name)
    const directory = directoryOf(node.group, stores)
    if (!node.isLive) throw new Refusal(`${node.nodeId} is dead; a worker buries it`)
    const exits = input.values.exit === true
    await directory.askToDrain(node.nodeId, exits ? 'exit' : 'stay')
    if (input.values['no-wait'] === true) return resultOf(node.nodeId, 'asked')
    return resultOf(node.nodeId, await untilDone(directory, node, { exits, timeoutSeconds, progress: stores.progress }))
  },
}

/** @throws Refusal where it takes too long; the node goes on draining all the same */
async function untilDone(
  directory: NodeDirectory,
  { nodeId }: NodeRow,
  { exits, timeoutSeconds, progress }: { exits: boolean; timeoutSeconds: number; progress(text: string): void },
): Promise<'drained' | 'ended'> {
  const deadlineAt = performance.now() + timeoutSeconds * 1000
  let last = ''
  for (;;) {
    const row = (await directory.list()).find((candidate) => candidate.nodeId === nodeId)
    if (row === undefined || !row.isLive) return 'ended'
    const connections = (row.about?.callConnections ?? 0) + (row.about?.userChannels ?? 0)
    if (!exits && row.about?.state === 'drained' && connections === 0) return 'drained'
    const now = `${nodeId} ${stateOf(row)}, ${connections} connections`
    if (now !== last) progress(now)
    last = now
    if (performance.now() > deadlineAt) throw new Refusal(`not done after ${timeoutSeconds} s: ${now}`)
    await pause(LOOK_EVERY_MS)
  }
}

function resultOf(nodeId: string, state: 'asked' | 'drained' | 'ended') {
  return { json: { node_id: nodeId, state }, text: `${nodeId} ${state}` }
}
