// Looks figures up in the results of a run.
import type { Measured, Results } from '../bench.ts'
import { type Cell, cellName } from '../systems.ts'
import { median } from './statistics.ts'

export type Rate = number | 'saturation'

/** CPU of servers and Redis for a message, in µs. */
export const totalUs = (measured: Measured): number => measured.serverUs + measured.redisUs

/** One figure of a cell at a rate, a value for each round; empty where it was not measured. */
export function figures(results: Results, cell: Cell, rate: Rate, read: (measured: Measured) => number): number[] {
  return (results.cells.get(cellName(cell)) ?? []).flatMap((result) => {
    const measured = result.windows.get(rate)
    return measured === undefined ? [] : [read(measured)]
  })
}

/** The median over the rounds; NaN where it was not measured. */
export function figure(results: Results, cell: Cell, rate: Rate, read: (measured: Measured) => number): number {
  return median(figures(results, cell, rate, read))
}
