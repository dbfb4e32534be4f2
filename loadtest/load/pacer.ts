// The generator's side of the pacing thread.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

const DUE = 0
const WOKEN = 1
const STOP = 2
const CELLS = 4

/** Calls `send` for each of a rate's messages, when it is due, for `ms`. Resolves after the last one. */
export async function pace(
  { ratePerSecond, ms, seed }: { ratePerSecond: number; ms: number; seed: number },
  send: () => void,
): Promise<void> {
  const shared = new Int32Array(new SharedArrayBuffer(CELLS * Int32Array.BYTES_PER_ELEMENT))
  const sendDue = () => {
    Atomics.store(shared, WOKEN, 0)
    for (let due = Atomics.exchange(shared, DUE, 0); due > 0; due--) send()
  }
  const worker = new Worker(new URL('pacer.mjs', import.meta.url), {
    workerData: { shared, ratePerSecond, ms, seed },
    execArgv: [],
  })
  worker.on('message', sendDue)
  try {
    await once(worker, 'exit')
    sendDue()
  } finally {
    Atomics.store(shared, STOP, 1)
  }
}
