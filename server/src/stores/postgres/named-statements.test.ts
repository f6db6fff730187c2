import { expect, test } from 'vitest'
import pg from 'pg'
import { clientWithNames, createStatementNames } from './named-statements.ts'
import { testDatabase } from './testing.ts'

test('a statement gets a name when it has come often, and no more than forty do', () => {
  const nameOf = createStatementNames()
  const texts = Array.from({ length: 60 }, (_, index) => `select ${index} + $1`)
  for (const text of texts) for (let time = 1; time < 20; time++) expect(nameOf(text)).toBeUndefined()
  const names = texts.map(nameOf)
  expect(new Set(names.slice(0, 40)).size).toBe(40)
  expect(names.slice(40)).toEqual(Array.from({ length: 20 }, () => undefined))
  expect(texts.map(nameOf)).toEqual(names)
})

test('named or not, a statement gives the same answer, and its plan is kept by the connection', async () => {
  await using database = await testDatabase()
  const Client = clientWithNames(createStatementNames())
  const client = new Client({ connectionString: database.connectionString })
  await client.connect()
  for (let time = 0; time < 30; time++) {
    const { rows } = await client.query('select $1::int + 1 as sum', [time])
    expect(rows).toEqual([{ sum: time + 1 }])
  }
  await expect(client.query('select $1::int + 1 as sum', ['no number'])).rejects.toBeInstanceOf(
    pg.DatabaseError,
  )
  const { rows } = await client.query('select statement from pg_prepared_statements')
  expect(rows).toEqual([{ statement: 'select $1::int + 1 as sum' }])
  await client.end()
})
