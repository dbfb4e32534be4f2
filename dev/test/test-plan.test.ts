import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { planTests } from './test-plan.ts'

describe('planTests', () => {
  it('has files with the same cluster run in one process', () => {
    const texts = { a: 'sharedCluster()', b: '', c: 'sharedCluster()', d: 'impatientCluster()' }
    const root = mkdtempSync(join(tmpdir(), 'tchat-calling-plan-'))
    try {
      for (const [name, text] of Object.entries(texts)) writeFileSync(join(root, `${name}.test.ts`), text)

      const { together } = planTests(root, ['a.test.ts', 'b.test.ts', 'c.test.ts', 'd.test.ts'], {})

      expect(together).to.deep.equal([['a.test.ts', 'c.test.ts'], ['b.test.ts'], ['d.test.ts']])
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  })

  it('puts unknown and slow files first, company in one unit, and those that measure at the end', () => {
    const root = mkdtempSync(join(tmpdir(), 'tchat-calling-plan-'))
    try {
      mkdirSync(join(root, 'test'))
      const files = ['quick', 'slow', 'measures', 'new'].map((name) => `test/${name}.test.ts`)
      for (const file of files) writeFileSync(join(root, file), '')
      for (const file of ['test/new.test.ts', 'test/quick.test.ts'])
        writeFileSync(join(root, file), '// company: browser, which is started once\n')
      writeFileSync(join(root, 'test/measures.test.ts'), '// alone: it measures latencies\n')

      const plan = planTests(root, files, { 'test/quick.test.ts': 10, 'test/slow.test.ts': 900 })

      expect(plan.together).to.deep.equal([['test/quick.test.ts', 'test/new.test.ts'], ['test/slow.test.ts']])
      expect(plan.alone).to.deep.equal([['test/measures.test.ts']])
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  })
})
