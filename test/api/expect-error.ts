/** What every refusal of the API has in common. */
import { expect } from 'chai'
import type { ErrorBody } from '../../core/protocol/errors.ts'
import type { ApiResponse } from '../support/api-client.ts'

/** Status, code, envelope and headers of a refusal. */
export function expectError(answer: ApiResponse<unknown>, status: number, code: string): void {
  expect([answer.status, answer.error?.code], answer.text).to.deep.equal([status, code])
  const envelope = answer.body as ErrorBody
  expect(envelope.request_id).to.equal(answer.headers.get('x-request-id'))
  expect(Math.abs(Date.now() - Date.parse(envelope.timestamp))).to.be.below(60_000)
  expect(answer.headers.get('content-type')).to.match(/^application\/json/)
  expect(answer.headers.get('x-powered-by')).to.equal(null)
}
