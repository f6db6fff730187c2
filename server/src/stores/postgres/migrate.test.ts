import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { migrate, migrationsUrl } from './migrate.ts'
import { emptyTestDatabase, testDatabase, type TestDatabase } from './testing.ts'

let folder: string
let database: TestDatabase<unknown>

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teamgrid-migrations-'))
  database = await emptyTestDatabase()
})

afterEach(async () => {
  await database.close()
  await rm(folder, { recursive: true })
})

const write = (name: string, sql: string) => writeFile(join(folder, name), sql)
const run = () => migrate(database.pool, pathToFileURL(`${folder}/`))

test('a migration that fails leaves nothing of itself, and the ones before it stay', async () => {
  await write('0001-first.sql', 'create table first (id int);')
  await write('0002-second.sql', 'create table second (id int); select 1/0;')
  await expect(run()).rejects.toThrow('The migration 0002-second.sql failed: division by zero')
  const { rows } = await database.pool.query(
    `select to_regclass('first') as first, to_regclass('second') as second`,
  )
  expect(rows).toEqual([{ first: 'first', second: null }])
  await write('0002-second.sql', 'create table second (id int);')
  expect(await run()).toEqual(['0002-second.sql'])
})

test('a file edited after it was applied is refused', async () => {
  await write('0001-first.sql', 'create table first (id int);')
  await run()
  await write('0001-first.sql', 'create table first (id bigint);')
  await expect(run()).rejects.toMatchObject({
    message: expect.stringContaining('was edited after it was applied'),
  })
})

test('a database of a newer version is refused', async () => {
  await write('0001-first.sql', 'create table first (id int);')
  await write('0002-second.sql', 'create table second (id int);')
  await run()
  await rm(join(folder, '0002-second.sql'))
  await expect(run()).rejects.toMatchObject({
    message: expect.stringContaining('newer version of Teamgrid (0002-second.sql)'),
  })
})

test('a file without a number is refused', async () => {
  await write('second.sql', 'select 1')
  await expect(run()).rejects.toThrow('second.sql is not a migration')
})

test('files are applied once, in order, also when two servers start at the same moment', async () => {
  await write('0010-third.sql', 'insert into log values (3);')
  await write('0001-first.sql', 'create table log (step int); insert into log values (1);')
  await write('0002-second.sql', 'insert into log values (2);')
  const applied = await Promise.all([run(), run(), run()])
  expect(applied.flat()).toEqual(['0001-first.sql', '0002-second.sql', '0010-third.sql'])
  expect((await database.pool.query('select step from log')).rows).toEqual([
    { step: 1 },
    { step: 2 },
    { step: 3 },
  ])
})

test('the test template already has all of our migrations', async () => {
  await using migrated = await testDatabase()
  expect(await migrate(migrated.pool, migrationsUrl)).toEqual([])
})
