import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { RestClient } from './rest-client.ts'

const servers: Server[] = []

/** Answers, or leads elsewhere; says where it is and which tokens it was shown. */
async function serve(location?: string): Promise<{ url: URL; tokens: (string | undefined)[] }> {
  const tokens: (string | undefined)[] = []
  const server = createServer((request, response) => {
    tokens.push(request.headers.authorization)
    if (location === undefined) response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    else response.writeHead(307, { location: new URL(request.url ?? '', location).href }).end()
  })
  servers.push(server)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return { url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), tokens }
}

describe('requests to the service', () => {
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections()
      server.close()
    }
  })

  it('show the token to the configured origin', async () => {
    const { url, tokens } = await serve()
    await new RestClient(url, async () => 'secret').statusNow('a-call')

    expect(tokens).to.deep.equal(['Bearer secret'])
  })

  it('follow no redirect, so that the token goes nowhere else', async () => {
    const elsewhere = await serve()
    const here = await serve(elsewhere.url.href)
    const asking = new RestClient(here.url, async () => 'secret').statusNow('a-call')

    expect(await asking.catch(({ code }: { code: string }) => code)).to.equal('NETWORK_ERROR')
    expect(here.tokens).to.have.length(1)
    expect(elsewhere.tokens).to.deep.equal([])
  })
})
