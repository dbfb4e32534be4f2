// A thread that says when to send: arrivals at random, independent of each other (exponential gaps), at a fixed rate in
// the mean. On a thread of its own it can sleep for less than a millisecond, so that messages do not come in clumps of
// a timer's tick, which would spare the servers most of their wake-ups.
import { parentPort, workerData } from 'node:worker_threads'

const { shared, ratePerSecond, ms, seed } = workerData
/** Cells of the shared memory: messages that are due, whether the other side was woken and has not looked yet, stop. */
const DUE = 0
const WOKEN = 1
const STOP = 2
const SLEEP = 3

/**
 * The generator is woken at most so often, or waking it would cost more than its messages: what falls due meanwhile, two
 * or three messages at 10,000 a second, leaves together.
 */
const WAKE_EVERY_MS = 0.25

let state = seed >>> 0
/** Mulberry32: small, fast, the same everywhere. */
function random() {
  state = (state + 0x6d2b79f5) >>> 0
  let t = state
  t = Math.imul(t ^ (t >>> 15), t | 1)
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}

const gap = () => (-Math.log(1 - random()) * 1000) / ratePerSecond

let wokenAt = performance.now()
const endAt = wokenAt + ms
let nextAt = wokenAt + gap()
while (nextAt < endAt && Atomics.load(shared, STOP) === 0) {
  const wait = Math.max(nextAt, wokenAt + WAKE_EVERY_MS) - performance.now()
  if (wait > 0) Atomics.wait(shared, SLEEP, 0, wait)
  wokenAt = performance.now()
  let due = 0
  for (; nextAt <= wokenAt && nextAt < endAt; nextAt += gap()) due += 1
  if (due === 0) continue
  Atomics.add(shared, DUE, due)
  if (Atomics.exchange(shared, WOKEN, 1) === 0) parentPort.postMessage(null)
}
