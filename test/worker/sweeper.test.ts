import { expect } from 'chai'
import { Registry } from 'prom-client'
import { Sweeper } from '../../worker/sweeper.ts'
import { silent } from '../calls/bench.ts'
import { eventually } from '../support/eventually.ts'

describe('Sweeper', () => {
  it('repeats a sweep, never over itself, and awaits the pass under way when it is stopped', async () => {
    let passes = 0
    let underWay = 0
    let mostAtOnce = 0
    const run = async () => {
      mostAtOnce = Math.max(mostAtOnce, ++underWay)
      await new Promise((resolve) => setTimeout(resolve, 5))
      underWay--
      passes++
    }
    const sweeper = new Sweeper([{ name: 'quick', everyMs: 1, run }], silent, new Registry())
    sweeper.start()

    await eventually(() => expect(passes).to.be.at.least(5))
    expect(sweeper.running).to.equal(true)
    await sweeper.stop()

    const after = passes
    expect(underWay).to.equal(0)
    expect(mostAtOnce).to.equal(1)
    expect(sweeper.running).to.equal(false)
    await new Promise((resolve) => setImmediate(resolve))
    expect(passes).to.equal(after)
  })

  it('survives a sweep that fails, backs off, and lets the others go on', async () => {
    const registry = new Registry()
    const failures: number[] = []
    let others = 0
    const sweeper = new Sweeper(
      [
        {
          name: 'failing',
          everyMs: 1,
          run: async () => {
            failures.push(performance.now())
            throw new Error('a store is away')
          },
        },
        { name: 'other', everyMs: 1, run: async () => void others++ },
      ],
      silent,
      registry,
    )
    sweeper.start()

    await eventually(() => expect(failures).to.have.length(3))
    await sweeper.stop()

    const [first, second, third] = failures as [number, number, number]
    expect(second - first).to.be.at.least(195)
    expect(third - second).to.be.at.least(395)
    expect(others).to.be.above(20)
    expect(await registry.getSingleMetricAsString('sweep_failures_total')).to.contain('{sweep="failing"} 3')
  })

  it('asks a long pass to end when it is stopped', async () => {
    const passes: AbortSignal[] = []
    const run = (stopping: AbortSignal) => {
      passes.push(stopping)
      return new Promise<void>((resolve) => stopping.addEventListener('abort', () => resolve()))
    }
    const sweeper = new Sweeper([{ name: 'long', everyMs: 1, run }], silent, new Registry())
    sweeper.start()

    await sweeper.stop()

    expect(passes).to.have.length(1)
  })
})
