import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { expect } from 'chai'
import { findFreePort } from '../../dev/cluster/ports.ts'
import { patient } from '../support/patience.ts'

/** Runs the API with an environment that it must refuse, and waits for its end. */
async function start(env: Record<string, string>): Promise<{ code: number | null; stderr: string; stdout: string }> {
  const child = spawn(process.execPath, ['dist/api/main.js'], { env: { PATH: process.env.PATH, ...env } })
  const timer = setTimeout(() => child.kill('SIGKILL'), patient(15_000))
  let [stderr, stdout] = ['', '']
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text
  })
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  clearTimeout(timer)
  return { code, stderr, stdout }
}

describe('the start of the API', () => {
  it('is refused with one sentence for each wrong variable', async () => {
    const { code, stderr } = await start({ API_PORT: 'http', RING_TIMEOUT_SECONDS: '-1', JWT_SECRET: 'hunter2' })

    expect(code).to.equal(1)
    expect(stderr).to.match(/^API_PORT must be .*\. RING_TIMEOUT_SECONDS must be .*\.\n$/)
    expect(stderr).not.to.contain('hunter2')
  })

  it('is refused without a key, in production with a short one, and with one that is none', async () => {
    const [none, short, broken] = await Promise.all([
      start({ NODE_ENV: 'production' }),
      start({ NODE_ENV: 'production', JWT_SECRET: 'short' }),
      start({ JWT_PUBLIC_KEY: 'not a key' }),
    ])

    expect([none?.code, short?.code, broken?.code]).to.deep.equal([1, 1, 1])
    expect(none?.stderr).to.match(/^JWT_SECRET, JWT_PUBLIC_KEY or JWKS_URL must be set: .*\n$/)
    expect(short?.stderr).to.match(/^JWT_SECRET must have at least 32 bytes in production\.\n$/)
    expect(broken?.stderr).to.match(/^JWT_PUBLIC_KEY must be a public key in PEM form\.\n$/)
  })

  it('fails where its port is taken', async () => {
    const port = await findFreePort()
    const squatter = createServer().listen(port, '127.0.0.1')

    const { code, stderr } = await start({ API_PORT: String(port), METRICS_PORT: '0', JWT_SECRET: 'secret' })
    squatter.close()

    expect(code).to.equal(1)
    expect(stderr).to.match(/EADDRINUSE/)
  })
}).timeout(30_000)
