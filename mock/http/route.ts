/** What an endpoint is. */
import { invalidField } from '../errors.ts'
import { isUuid } from '../ids.ts'
import type { Identity } from '../tokens.ts'
import type { Body } from './fields.ts'

export interface Request {
  identity: Identity
  /** The ids of the path, by their names in braces. */
  ids: Record<string, string>
  query: URLSearchParams
  body: Body
  headers: Record<string, string | string[] | undefined>
}

export interface Reply {
  status: number
  body: unknown
  headers?: Record<string, string>
}

export interface Route {
  method: string
  path: string
  needsToken: boolean
  /** A body is required, not merely taken. */
  needsBody?: boolean
  handle(request: Request): Reply
}

export function ok(body: unknown, headers: Record<string, string> = {}): Reply {
  return { status: 200, body, headers }
}

/** An id of the path. @throws INVALID_REQUEST */
export function idOf({ ids }: Request, name: string): string {
  const id = ids[name]
  if (!isUuid(id)) throw invalidField(name, 'must be a UUID')
  return id.toLowerCase()
}
