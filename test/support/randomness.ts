/** Randomness that can be had again: the same seed gives the same choices. */

/** Numbers from 0 up to but not including 1. */
export type Random = () => number

/** mulberry32: small, fast, and good enough to pick delays and gateways. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A whole number from 0 to `count - 1`. */
export function pickIndex(random: Random, count: number): number {
  return Math.floor(random() * count)
}

/** One of several. */
export function pick<T>(random: Random, [first, ...rest]: readonly [T, ...T[]]): T {
  return rest[pickIndex(random, rest.length + 1) - 1] ?? first
}

/** The seed of this run: `SEED` to repeat one, else a new one. Print it. */
export function runSeed(): number {
  return process.env.SEED ? Number(process.env.SEED) : Math.floor(Math.random() * 2 ** 32)
}
