import { expect } from 'chai'
import { Histogram, Registry } from 'prom-client'
import { LeanHistogram } from './lean-histogram.ts'

const buckets = [0.1, 0.5, 2]
const values = [0, 0.1, 0.100001, 0.5, 1.999, 2, 2.5, 1e6]

/** The samples alone, whatever their order. */
async function samplesOf(registry: Registry): Promise<string[]> {
  return (await registry.metrics()).split('\n').sort()
}

describe('LeanHistogram', () => {
  it('reads as the one of the library', async () => {
    const [lean, library] = [new Registry(), new Registry()]
    for (const registry of [lean, library]) registry.setDefaultLabels({ node: 'n1' })
    const own = new LeanHistogram({ name: 'a_seconds', help: 'What it is.', buckets, registry: lean })
    const theirs = new Histogram({ name: 'a_seconds', help: 'What it is.', buckets, registers: [library] })

    for (const value of values) {
      own.observe(value)
      theirs.observe(value)
    }

    expect(await samplesOf(lean)).to.deep.equal(await samplesOf(library))
    expect(await samplesOf(lean)).to.include('a_seconds_bucket{le="0.5",node="n1"} 4')
  })

  it('counts by a label, also in JSON', async () => {
    const [lean, library] = [new Registry(), new Registry()]
    const options = { name: 'b_seconds', help: 'What it is.', buckets }
    const own = new LeanHistogram({ ...options, labelNames: ['command'], registry: lean })
    const theirs = new Histogram({ ...options, labelNames: ['command'], registers: [library] })

    for (const [at, value] of values.entries()) {
      const command = at % 2 === 0 ? 'get' : 'set'
      own.observe(value, command)
      theirs.observe({ command }, value)
    }

    expect(await samplesOf(lean)).to.deep.equal(await samplesOf(library))
    expect((await lean.getMetricsAsJSON())[0]).to.include({ name: 'b_seconds', type: 'histogram' })
  })

  it('is there before anything was observed, as one without labels must', async () => {
    const registry = new Registry()
    new LeanHistogram({ name: 'c_seconds', help: 'What it is.', buckets, registry })

    expect(await samplesOf(registry)).to.include('c_seconds_count 0')
  })
})
