/** The API reference: Swagger UI on our own OpenAPI document, with everything from our own origin. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { Router } from 'express'
import { parse } from 'yaml'
import { pageHeaders } from '../middleware/security-headers.ts'

/** What the page needs of the package; its maps, readme and other bundles are nobody's business. */
const FILES = [
  'index.css',
  'swagger-ui.css',
  'swagger-ui-bundle.js',
  'swagger-ui-standalone-preset.js',
  'favicon-16x16.png',
  'favicon-32x32.png',
]

/** No validator: the default asks a server on the internet about our document. */
const INITIALIZER = `window.ui = SwaggerUIBundle({
  url: './openapi.yaml',
  dom_id: '#swagger-ui',
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
  layout: 'StandaloneLayout',
})
`

/** @throws when the document is not beside this build: an API without its reference must not start */
export function docsRoutes(): Router {
  const yaml = readFileSync(new URL('../openapi.yaml', import.meta.url), 'utf8')
  // A quarter of a second of work, which every start would pay and hardly any process needs.
  let json: string | undefined
  const root = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))

  const router = Router({ caseSensitive: true, strict: true })
  router.use(['/docs', '/docs/'], pageHeaders())
  router.route('/').get((_request, response) => response.redirect(302, '/docs/'))
  // The page loads its files relative to a folder.
  router.route('/docs').get((_request, response) => response.redirect(302, '/docs/'))
  router.route('/docs/').get((_request, response) => response.sendFile('index.html', { root }))
  router.route('/docs/openapi.yaml').get((_request, response) => {
    response.type('application/yaml').send(yaml)
  })
  router.route('/docs/openapi.json').get((_request, response) => {
    json ??= JSON.stringify(parse(yaml))
    response.type('application/json').send(json)
  })
  router.route('/docs/swagger-initializer.js').get((_request, response) => {
    response.type('text/javascript').send(INITIALIZER)
  })
  for (const file of FILES) router.route(`/docs/${file}`).get((_request, response) => response.sendFile(file, { root }))
  return router
}
