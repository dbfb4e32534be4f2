/** Serves the tests' own pages from an origin that is not the service's, as an application of somebody else has it. */
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { transformSync } from 'esbuild'

const root = resolve(import.meta.dirname, '../..')
const SCRIPT = /^\/pages\/([a-z-]+)\.js$/
const PAGE = /^\/([a-z-]+)$/

/** Each page is its script alone: `/phone` runs pages/phone.ts, which finds the built library as `sdk`. */
const html = (name: string) => `<!doctype html>
<meta charset="utf-8">
<title>${name}</title>
<link rel="icon" href="data:,">
<video id="remote" autoplay playsinline></video>
<script type="module">
  import * as sdk from '/calling-client.js'
  globalThis.sdk = sdk
  await import('/pages/${name}.js')
</script>
`

export interface PageServer {
  readonly url: string
  stop(): Promise<void>
}

export async function startPageServer(): Promise<PageServer> {
  const server = createServer((request, response) => {
    const [type, body] = contentOf(request.url ?? '')
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': type })
    response.end(body)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop: () => stop(server) }
}

function contentOf(path: string): [type: string, body?: string] {
  if (path === '/calling-client.js')
    return ['text/javascript', readFileSync(join(root, 'client/dist/calling-client.js'), 'utf8')]
  const [, script] = SCRIPT.exec(path) ?? []
  if (script !== undefined) {
    const source = readFileSync(join(import.meta.dirname, 'pages', `${script}.ts`), 'utf8')
    return ['text/javascript', transformSync(source, { loader: 'ts', target: 'es2022' }).code]
  }
  const [, page] = PAGE.exec(path) ?? []
  return page === undefined ? ['text/plain'] : ['text/html', html(page)]
}

function stop(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise((done) => server.close(() => done()))
}
