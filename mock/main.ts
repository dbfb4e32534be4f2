#!/usr/bin/env node
/** A mock from the command line, for clients in other languages: `calling-mock --port 8093 --secret …`. */
import { parseArgs } from 'node:util'
import { startMock } from './mock-server.ts'

const text = { type: 'string' } as const
const { values } = parseArgs({ options: { port: text, secret: text, 'ring-seconds': text } })
const mock = await startMock({
  port: Number(values.port ?? 8093),
  ...(values.secret === undefined ? {} : { secret: values.secret }),
  ringSeconds: Number(values['ring-seconds'] ?? 45),
})
console.log(`${mock.url}  secret: ${mock.secret}`)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void mock.close())
