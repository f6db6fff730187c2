import { sql } from 'kysely'
import { expect, test } from 'vitest'
import type { Database } from '../stores/postgres/schema.ts'
import { testDatabase } from '../stores/postgres/testing.ts'
import { leftOut, tables } from './tables.ts'

test('every table of the database goes into an export, or is left out by name and with a reason', async () => {
  const { db, close } = await testDatabase<Database>()
  const { rows } = await sql<{ name: string }>`
    select table_name as name from information_schema.tables
    where table_schema = current_schema() and table_type = 'BASE TABLE'`.execute(db)
  await close()
  const there = rows.map(({ name }) => name).toSorted()
  const exported = tables.map(({ name }) => name)
  const known = [...exported, ...Object.keys(leftOut)].toSorted()
  expect(known).toEqual(there)
  expect(exported.filter((name) => name in leftOut)).toEqual([])
  expect(Object.values(leftOut).every((reason) => reason.length > 10)).toBe(true)
})
