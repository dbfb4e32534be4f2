/** docs/metrics.md and the code say the same, name by name. What processes really expose is in live-metrics.test.ts. */
import { expect } from 'chai'
import { definedMetrics, documentedMetrics } from './metric-definitions.ts'

describe('The table of metrics', () => {
  const defined = definedMetrics()
  const documented = documentedMetrics()

  it('has every metric of the code, and none that is not there', () => {
    expect(defined.length).to.be.above(60)
    expect(documented.map(({ name }) => name)).to.have.members(defined.map(({ name }) => name))
  })

  it('has their types, labels and help as the code has them', () => {
    for (const { name, type, labels, help } of documented) {
      const own = defined.find((metric) => metric.name === name)
      expect({ type, labels: [...labels].sort() }, name).to.deep.equal({
        type: own?.type,
        labels: [...(own?.labels ?? [])].sort(),
      })
      // Help is one line; what else is to be said follows it.
      expect(help, name).to.satisfy((text: string) => text.startsWith(own?.help ?? 'nothing'))
    }
  })

  it('has names as Prometheus wants them: base units, and _total for counters alone', () => {
    for (const { name, type } of documented) {
      expect(name, name)
        .to.match(/^[a-z][a-z0-9_]*$/)
        .and.not.match(/_(ms|milliseconds|minutes|kb|mb|percent)(_|$)/)
      expect(name.endsWith('_total'), name).to.equal(type === 'counter')
      if (type === 'histogram') expect(name).to.match(/_(seconds|bytes_per_second|ratio|messages)$/)
    }
  })

  it('has no label that could be an id, or without end', () => {
    const labels = new Set(documented.flatMap((metric) => metric.labels))
    expect(
      [...labels].filter((label) => /id$|user|call|peer|token|path$|url|address|reason_text/.test(label)),
    ).to.deep.equal(['path'])
  })
})
