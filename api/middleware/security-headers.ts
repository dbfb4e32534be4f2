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

/**
 * The page to call from: scripts and styles of its own origin alone, and sockets to the origin that `signaling_url` names.
 * It makes no HTML of strings, which trusted types hold it to.
 */
export function demoPageHeaders(publicUrl: string): RequestHandler[] {
  const { origin } = new URL(publicUrl)
  return [
    helmet({
      contentSecurityPolicy: {
        useDefaults: false,
        directives: {
          defaultSrc: ["'none'"],
          scriptSrc: ["'self'"],
          styleSrc: ["'self'"],
          imgSrc: ["'self'"],
          mediaSrc: ["'self'", 'blob:'],
          connectSrc: ["'self'", origin.replace(/^http/, 'ws')],
          baseUri: ["'none'"],
          formAction: ["'none'"],
          frameAncestors: ["'none'"],
          requireTrustedTypesFor: ["'script'"],
        },
      },
    }),
    (_request, response, next) => {
      response.set('Permissions-Policy', 'camera=(self), microphone=(self), geolocation=(), payment=(), usb=()')
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
