/** Every process refuses a wrong configuration with one sentence that names the variable, and repeats no value. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect } from 'chai'
import { patient } from './support/patience.ts'

const dist = join(import.meta.dirname, '..', 'dist')
const SECRET = 'a-secret-that-must-not-be-printed'

describe('a wrong configuration', () => {
  for (const process_ of ['api', 'gateway', 'worker', 'migrations'])
    it(`stops ${process_} with a sentence that names each wrong variable`, () => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [join(dist, process_, 'main.js')], {
        env: { PATH: process.env.PATH, JWT_SECRET: SECRET, DATABASE_URL: SECRET, RING_TIMEOUT_SECONDS: '45s' },
        encoding: 'utf8',
        timeout: patient(15_000),
      })

      expect(status).to.equal(1)
      expect(stdout).to.equal('')
      expect(stderr.trim().split('\n')).to.have.length(1)
      expect(stderr).to.match(/^DATABASE_URL must .*\. RING_TIMEOUT_SECONDS must be a number of seconds .*\.\n$/)
      expect(stderr).not.to.contain(SECRET)
    })
})
