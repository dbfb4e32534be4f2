// The systems under comparison: what they are called, what they are made of, and how they are spoken to.

import type { Placement } from './calls.ts'
import { BARE, type Dialect, PEERJS, PLAIN_SOCKETIO, RAW, SOCKETIO } from './load/dialects.ts'
import type { ServerKind } from './servers.ts'

export type SystemKey = 'ours-raw' | 'ours-socketio' | 'bare-ws' | 'peerjs' | 'socketio' | 'socketio-redis'

export interface SystemUnderTest {
  title: string
  server: ServerKind
  dialect: Dialect
}

export const SYSTEMS: Record<SystemKey, SystemUnderTest> = {
  'ours-raw': { title: 'ours, raw WebSocket', server: 'gateway', dialect: RAW },
  'ours-socketio': { title: 'ours, Socket.IO', server: 'gateway', dialect: SOCKETIO },
  'bare-ws': { title: 'bare ws relay', server: 'bare-ws', dialect: BARE },
  peerjs: { title: 'PeerJS server', server: 'peerjs', dialect: PEERJS },
  socketio: { title: 'plain Socket.IO room', server: 'socketio', dialect: PLAIN_SOCKETIO },
  'socketio-redis': { title: 'Socket.IO, classic Redis adapter', server: 'socketio-redis', dialect: PLAIN_SOCKETIO },
}

/** One measurement under load: a system on a number of nodes with its calls placed in a way. */
export interface Cell {
  system: SystemKey
  nodes: number
  placement: Placement
}

export const cellName = ({ system, nodes, placement }: Cell): string => `${system}/${nodes}/${placement}`

const cells = (nodes: number, ...list: [SystemKey, Placement][]): Cell[] =>
  list.map(([system, placement]) => ({ system, nodes, placement }))

/** The whole comparison, by nodes. Within a block ours and a rival take turns; every round turns the order round. */
export const FULL_BLOCKS: Cell[][] = [
  cells(
    1,
    ['ours-raw', 'affine'],
    ['bare-ws', 'affine'],
    ['ours-socketio', 'affine'],
    ['peerjs', 'affine'],
    ['socketio', 'affine'],
    ['socketio-redis', 'affine'],
  ),
  ...[2, 4, 8].map((nodes) =>
    cells(
      nodes,
      ['ours-raw', 'random'],
      ['socketio-redis', 'random'],
      ['ours-socketio', 'random'],
      ['bare-ws', 'affine'],
      ['ours-raw', 'affine'],
    ),
  ),
]

/** Enough for a look at the ratios. */
export const QUICK_BLOCKS: Cell[][] = [
  cells(1, ['ours-raw', 'affine'], ['bare-ws', 'affine'], ['ours-socketio', 'affine'], ['socketio-redis', 'affine']),
  cells(4, ['ours-raw', 'random'], ['socketio-redis', 'random'], ['ours-socketio', 'random']),
]
