/** Headers that keep browsers from doing anything with a response that we did not mean. */
import type { RequestHandler } from 'express'
import helmet from 'helmet'

/** Where there is TLS the edge ends it, and says so: an API behind plain HTTP on localhost must not. */
const strictTransportSecurity = false

/** The API answers data: nothing in it may be rendered, framed, cached or sniffed. */
export function apiHeaders(): RequestHandler[] {
  return [
    helmet({
      strictTransportSecurity,
      contentSecurityPolicy: {
        useDefaults: false,
        directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
      },
    }),
    (_request, response, next) => {
      // Call histories and TURN credentials belong to one user and one moment.
      response.set('Cache-Control', 'no-store')
      next()
    },
  ]
}

/** The API reference is a page with scripts of its own origin; Swagger UI needs inline styles and data: images. */
export function pageHeaders(): RequestHandler {
  return helmet({
    strictTransportSecurity,
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        objectSrc: ["'none'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
        // No upgrade-insecure-requests: on plain http (a developer's machine) the page would lose its scripts.
      },
    },
  })
}
