/** Requests whose body is announced and does not come, or cannot be read: each has an answer, in the envelope. */
import { expect } from 'chai'
import type { Cluster } from '../../dev/cluster/cluster.ts'
import { createUser, type TestUser } from '../support/api-client.ts'
import { sharedCluster } from '../support/clusters.ts'
import { type RawAnswer, RawHttp } from '../support/raw-http.ts'

const INITIATE = '/api/v1/calls/initiate'

function expectEnvelope(answer: RawAnswer, status: number): void {
  expect(answer.status, answer.body).to.equal(status)
  expect(JSON.parse(answer.body).error).to.include({ code: 'INVALID_REQUEST' })
}

describe('bodies that do not come', () => {
  let cluster: Cluster
  before(async function () {
    this.timeout(60_000)
    cluster = await sharedCluster()
  })
  const user = (): TestUser => createUser(cluster.api(0).url, cluster.jwtSecret)
  const heads = (path: string, ...lines: string[]) =>
    [`POST ${path} HTTP/1.1`, 'Host: calls', ...lines, '', ''].join('\r\n')
  /** The answer to a request, or to the part of it that is sent. */
  const answerTo = async (url: string, text: string): Promise<RawAnswer> => {
    const connection = await RawHttp.open(url)
    connection.write(text)
    try {
      return await connection.answer()
    } finally {
      connection.destroy()
    }
  }
  const restHeads = (...lines: string[]) =>
    heads(INITIATE, `Authorization: Bearer ${user().token}`, 'Content-Type: application/json', ...lines)

  it('are 408 after ten seconds, at the API, at a gateway and through the edge', async () => {
    const { url: gateway } = cluster.gateway(0)
    const opened = await fetch(`${gateway}/socket.io/?EIO=4&transport=polling`)
    const { sid } = JSON.parse((await opened.text()).slice(1)) as { sid: string }
    const poll = heads(
      `/socket.io/?EIO=4&transport=polling&sid=${sid}`,
      'Content-Type: text/plain',
      'Content-Length: 10',
    )
    const parts: [string, string][] = [
      [cluster.api(0).url, restHeads('Content-Length: 100')],
      [cluster.api(0).url, `${restHeads('Transfer-Encoding: chunked')}5\r\n{"cal`],
      [cluster.url, restHeads('Content-Length: 100')],
      [cluster.url, restHeads('Transfer-Encoding: chunked')],
      [gateway, poll],
    ]

    for (const answer of await Promise.all(parts.map(([url, text]) => answerTo(url, text)))) expectEnvelope(answer, 408)
  }).timeout(40_000)

  it('are 400 where their chunks cannot be read', async () => {
    const answer = await answerTo(cluster.api(0).url, `${restHeads('Transfer-Encoding: chunked')}zz\r\n{}\r\n0\r\n\r\n`)

    expectEnvelope(answer, 400)
  })
})
