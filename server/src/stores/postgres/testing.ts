/**
 * Postgres for tests: one embedded server per vitest run, a template database with all migrations applied, and a
 * clone of it per test file (some 40 ms). The server is started in the background by `testing-setup.ts`, so test files
 * that need no database do not wait for it.
 */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { inject } from 'vitest'
import { createPool, type OpenPostgres } from './open.ts'

export const templateDatabase = 'teamgrid_template'

/** Names the file in which the setup tells the address of the server, or why there is none. */
export type TestServerNote = { adminUrl: string } | { failure: string }

declare module 'vitest' {
  export interface ProvidedContext {
    postgresNoteFile: string
  }
}

const startSecondsMax = 120

export type TestDatabase<DB> = OpenPostgres<DB> & AsyncDisposable

/**
 * A database of its own with the whole schema and no rows. Call it once per test file; closing is optional, as the
 * server is thrown away after the run.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- the tables are named by the caller: `testDatabase<Database>()`
export async function testDatabase<DB = any>(): Promise<TestDatabase<DB>> {
  return await createTestDatabase<DB>(templateDatabase)
}

/** A database without any table, for tests of the migrations themselves. */
// oxlint-disable-next-line typescript/no-explicit-any -- as above
export async function emptyTestDatabase<DB = any>(): Promise<TestDatabase<DB>> {
  return await createTestDatabase<DB>('template0')
}

async function createTestDatabase<DB>(template: string): Promise<TestDatabase<DB>> {
  const adminUrl = await testServerUrl()
  const name = `test_${randomBytes(8).toString('hex')}`
  const admin = new pg.Client({ connectionString: adminUrl })
  await admin.connect()
  await admin.query(`create database ${name} template ${template}`)
  await admin.end()
  const connectionString = adminUrl.replace(/\/postgres\?/, `/${name}?`)
  const pool = createPool(connectionString, { info() {}, warn() {}, error() {} }, 10)
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }) })
  const close = () => db.destroy()
  return {
    db,
    pool,
    connectionString,
    ping: async () => void (await pool.query('select 1')),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** The address of this run's server, with rights to create databases (for what cannot be tested in a clone). */
export async function testServerUrl(): Promise<string> {
  const noteFile = inject('postgresNoteFile')
  const deadline = Date.now() + startSecondsMax * 1000
  for (;;) {
    const text = await readFile(noteFile, 'utf8').catch(() => undefined)
    if (text !== undefined) {
      const note = JSON.parse(text) as TestServerNote
      if ('failure' in note) throw new Error(`The Postgres of this test run did not start: ${note.failure}`)
      return note.adminUrl
    }
    if (Date.now() > deadline)
      throw new Error(`The Postgres of this test run was not ready in ${startSecondsMax} s.`)
    await sleep(10)
  }
}
