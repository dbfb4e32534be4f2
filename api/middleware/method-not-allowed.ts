/** A known path with another method: 405, and which methods it knows. */
import type { Router } from 'express'
import { AppError } from '../../core/protocol/errors.ts'

/** Closes every route of `router` to the methods that it does not handle. Call it after the last route was added. */
export function refuseOtherMethods(router: Router): Router {
  for (const { route } of router.stack) {
    if (route === undefined) continue
    const methods = new Set(route.stack.map((layer) => layer.method.toUpperCase()))
    // Express answers HEAD wherever it answers GET, and OPTIONS is the preflight's.
    if (methods.has('GET')) methods.add('HEAD')
    const allowed = [...methods, 'OPTIONS'].join(', ')
    route.all((_request, response) => {
      response.set('Allow', allowed)
      throw new AppError('INVALID_REQUEST', 'The path does not know this method', { status: 405 })
    })
  }
  return router
}
