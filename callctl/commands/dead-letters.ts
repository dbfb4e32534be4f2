/** `callctl dead-letters` */
import { withRetries } from '../../core/calls/database-retry.ts'
import { webhookEventId } from '../../core/protocol/webhooks.ts'
import { type DeadLetterPage, DeadLetters } from '../../core/webhooks/dead-letters.ts'
import { readNumber, readText } from '../arguments.ts'
import { type Command, type Input, Refusal, type Result, UsageError } from '../command.ts'
import type { Stores } from '../stores.ts'
import { table } from '../table.ts'

export const deadLetters: Command = {
  name: 'dead-letters',
  usage: 'dead-letters [replay <id> | replay --all]',
  summary: 'webhooks that nobody took, and sending them again',
  help:
    'Without "replay" it lists them, the last that died first. A replay needs WEBHOOK_URLS as the workers have it: nothing\n' +
    'is sent to an endpoint that is not configured. Needs Postgres.',
  options: {
    endpoint: { type: 'string', about: 'of this endpoint alone' },
    limit: { type: 'string', about: 'lines, 1 to 200, 50 by default' },
    cursor: { type: 'string', about: 'the next page, from the end of the one before' },
    all: { type: 'boolean', about: 'replay all, or all of --endpoint' },
  },
  async run(input, stores) {
    const endpoints = stores.config.webhooks.endpoints.map(({ name }) => name)
    const letters = new DeadLetters(stores.db, endpoints, stores.config.webhooks.giveUpMs)
    const [action, id, ...more] = input.positionals
    if (action === undefined) return list(input, letters)
    if (action !== 'replay' || more.length > 0) throw new UsageError(`"${more[0] ?? action}" is not understood`)
    return replay(input, letters, { id, endpoints })
  },
}

async function list(input: Input, letters: DeadLetters): Promise<Result> {
  if (input.values.all === true) throw new UsageError('--all goes with replay')
  const query = {
    limit: readNumber(input, 'limit', { min: 1, max: 200, fallback: 50 }),
    endpoint: readText(input, 'endpoint'),
    cursor: readText(input, 'cursor'),
  }
  const page = await withRetries(() => letters.list(query), { repeatable: true })
  return { json: presentPage(page), text: page.total === 0 ? 'no dead letters' : textOf(page) }
}

async function replay(
  input: Input,
  letters: DeadLetters,
  { id, endpoints }: { id: string | undefined; endpoints: Stores['config']['webhooks']['endpoints'][number]['name'][] },
): Promise<Result> {
  const isAll = input.values.all === true
  if ((id === undefined) === !isAll) throw new UsageError('Say the id of one dead letter, or --all')
  if (endpoints.length === 0) throw new Refusal('WEBHOOK_URLS is not set here: nothing would be sent')
  const endpoint = readText(input, 'endpoint')
  if (endpoint !== undefined && !endpoints.includes(endpoint))
    throw new Refusal(`The endpoint ${endpoint} is not configured here`)
  if (id === undefined) {
    const count = await letters.replayAll(endpoint)
    return { json: { replayed: count }, text: `${count} dead letters will be sent again` }
  }
  if (!/^[1-9]\d{0,17}$/.test(id)) throw new UsageError('The id of a dead letter is a number')
  await letters.replay(id)
  return { json: { replayed: 1 }, text: `dead letter ${id} will be sent again` }
}

function textOf({ letters, total, nextCursor }: DeadLetterPage): string {
  const rows = table(letters, [
    { title: 'ID', value: ({ id }) => id },
    { title: 'ENDPOINT', value: ({ endpoint }) => endpoint },
    { title: 'TYPE', value: ({ type }) => type },
    { title: 'CALL', value: ({ callId }) => callId },
    { title: 'DIED', value: ({ diedAt }) => diedAt.toISOString() },
    { title: 'ATTEMPTS', value: ({ attempts }) => attempts },
    { title: 'LAST', value: ({ lastOutcome, lastStatus }) => [lastOutcome, lastStatus].filter(Boolean).join(' ') },
  ])
  const next = nextCursor === undefined ? '' : `; go on with --cursor ${nextCursor}`
  return `${rows}\n${letters.length} of ${total}${next}`
}

function presentPage({ letters, total, hasMore, nextCursor }: DeadLetterPage) {
  return {
    dead_letters: letters.map((letter) => ({
      id: letter.id,
      endpoint: letter.endpoint,
      event_id: webhookEventId(letter.callId, letter.type),
      type: letter.type,
      call_id: letter.callId,
      created_at: letter.createdAt.toISOString(),
      died_at: letter.diedAt.toISOString(),
      attempts: letter.attempts,
      last_outcome: letter.lastOutcome,
      last_status: letter.lastStatus,
    })),
    pagination: { total, has_more: hasMore, next_cursor: nextCursor ?? null },
  }
}
