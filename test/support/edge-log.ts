/** What an edge says of itself: which server it gave a request to. */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { eventually } from './eventually.ts'

interface LogLine {
  request_id: string
  path: string
  status: string
  server: string
}

/** An edge, and where it writes its log. */
export interface ObservedEdge {
  url: string
  runDir: string
  /** As its process is called; `edge` where it is left out. */
  name?: string
}

export function edgeLog(runDir: string, name = 'edge'): string {
  return readFileSync(join(runDir, 'logs', `${name}.log`), 'utf8')
}

export function requestsIn(log: string): LogLine[] {
  return log
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as LogLine)
}

/** A line is written at once; HAProxy drops it where nobody has read the lines before it. */
const LINE_MS = 1_000

/** The name of the server that an edge gives a GET to. */
export function serverThrough({ url, runDir, name }: ObservedEdge, path: string): Promise<string> {
  return eventually(async () => {
    const requestId = randomUUID()
    const ask = () => fetch(`${url}${path}`, { headers: { 'x-request-id': requestId } })
    // A kept connection may be closed by a reload in the moment of its next use; a GET is then sent again (RFC 9110, 9.2.2).
    const response = await ask().catch(ask)
    await response.arrayBuffer()
    return await eventually(() => {
      const line = requestsIn(edgeLog(runDir, name)).find(({ request_id }) => request_id === requestId)
      expect(line, `the edge's log of ${requestId}`).not.to.equal(undefined)
      return line?.server ?? ''
    }, LINE_MS)
  })
}
