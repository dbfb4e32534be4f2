import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { expect } from 'chai'
import { Client } from 'pg'
import { startPostgres } from './postgres.ts'
import { findPostgresBinaries } from './postgres-binaries.ts'
import { templateOf } from './postgres-filling.ts'

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

describe('a Postgres that begins filled', () => {
  it('has the content of its key, made once, and data of its own', async () => {
    let fills = 0
    const fill = async (url: string) => {
      fills++
      await query(url, 'CREATE TABLE things AS SELECT 1 AS id')
    }
    const filling = { key: randomUUID(), fill }
    const first = await startPostgres({ filling })
    const second = await startPostgres({ filling })
    try {
      await query(first.url, 'INSERT INTO things VALUES (2)')

      expect(await query(second.url, 'SELECT id FROM things')).to.deep.equal([{ id: 1 }])
      expect(fills).to.equal(1)
    } finally {
      await Promise.all([first.stop(), second.stop()])
      rmSync(templateOf(filling.key, findPostgresBinaries()), { recursive: true, force: true })
    }
  }).timeout(60_000)
})
