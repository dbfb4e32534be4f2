/** The page to call from, as the build has left it: read once, compressed once, with nothing from another origin. */
import { readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { type Request, type Response, Router } from 'express'
import { AppError } from '../../core/protocol/errors.ts'
import { demoPageHeaders } from '../middleware/security-headers.ts'

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** The name of a file has a hash of its content in it: what was fetched once is never asked for again. */
const FOREVER = 'public, max-age=31536000, immutable'
/** The document names the other files, so it is asked for each time. */
const EACH_TIME = 'no-cache'

interface PageFile {
  type: string
  plain: Buffer
  gzipped: Buffer
}

/** @param folder the built page @throws when it is not there: an API without its page must not start */
export function pageRoutes(folder: URL, publicUrl: string): Router {
  const document = readPageFile(new URL('index.html', folder))
  const assets = new Map(
    readdirSync(new URL('assets/', folder)).map((name) => [name, readPageFile(new URL(`assets/${name}`, folder))]),
  )

  const router = Router({ caseSensitive: true, strict: true })
  const headers = demoPageHeaders(publicUrl)
  router.route('/').get(headers, (request: Request, response: Response) => send(request, response, document, EACH_TIME))
  router.route('/assets/:file').get(headers, (request: Request, response: Response) => {
    const file = assets.get(String(request.params.file))
    if (file === undefined) throw new AppError('NOT_FOUND', 'There is nothing at this path')
    send(request, response, file, FOREVER)
  })
  return router
}

function readPageFile(url: URL): PageFile {
  const plain = readFileSync(url)
  const type = TYPES[extname(fileURLToPath(url))] ?? 'application/octet-stream'
  return { type, plain, gzipped: gzipSync(plain, { level: 9 }) }
}

function send(request: Request, response: Response, file: PageFile, caching: string): void {
  const compressed = request.acceptsEncodings('gzip') === 'gzip'
  response.set({ 'Content-Type': file.type, 'Cache-Control': caching, Vary: 'Accept-Encoding' })
  if (compressed) response.set('Content-Encoding', 'gzip')
  response.send(compressed ? file.gzipped : file.plain)
}
