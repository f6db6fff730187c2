import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { GridError } from '@teamgrid/api'
import type pg from 'pg'

/** Any constant will do, as long as every server on one database uses the same. */
const advisoryLock = 7_313_371
const migrationName = /^\d{4}[-_][a-z0-9_-]+\.sql$/

/** Where this server's migrations are. */
export const migrationsUrl = new URL('./migrations/', import.meta.url)

type Migration = { name: string; sql: string; checksum: string }

/**
 * Brings the database to this version's schema: plain SQL files `NNNN-name.sql`, applied in the order of their names,
 * each in one transaction together with the note that it is done. Forward only. Two servers that start at once wait
 * for each other on an advisory lock.
 *
 * @returns the names applied now, in order; empty when the database was up to date.
 * @throws GridError unavailable, if a newer Teamgrid migrated this database, or an applied file was edited.
 */
export async function migrate(pool: pg.Pool, folder: URL = migrationsUrl): Promise<string[]> {
  const migrations = await readMigrations(folder)
  const client = await pool.connect()
  try {
    await client.query('select pg_advisory_lock($1)', [advisoryLock])
    await client.query(
      `create table if not exists schema_migrations (
         name text primary key,
         checksum text not null,
         applied_at timestamptz not null default now()
       )`,
    )
    const { rows } = await client.query<{ name: string; checksum: string }>(
      'select name, checksum from schema_migrations',
    )
    const applied = new Map(rows.map((row) => [row.name, row.checksum]))
    checkHistory(applied, migrations)
    const news = migrations.filter(({ name }) => !applied.has(name))
    for (const migration of news) await apply(client, migration)
    return news.map(({ name }) => name)
  } finally {
    // Ending the session also gives the lock back, even when the session is in a state that allows no more queries.
    client.release(true)
  }
}

async function readMigrations(folder: URL): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).toSorted()
  return await Promise.all(
    names.map(async (name) => {
      if (!migrationName.test(name))
        throw new Error(`${name} is not a migration's name; call it NNNN-what-it-does.sql`)
      const sql = await readFile(new URL(name, folder), 'utf8')
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') }
    }),
  )
}

function checkHistory(applied: Map<string, string>, migrations: Migration[]): void {
  const known = new Map(migrations.map((migration) => [migration.name, migration]))
  for (const [name, checksum] of applied) {
    const migration = known.get(name)
    if (!migration)
      throw new GridError(
        'unavailable',
        `The database was migrated by a newer version of Teamgrid (${name}); start that version.`,
      )
    if (migration.checksum !== checksum)
      throw new GridError(
        'unavailable',
        `The migration ${name} was edited after it was applied to this database; undo the edit and write a new one.`,
      )
  }
}

async function apply(client: pg.PoolClient, { name, sql, checksum }: Migration): Promise<void> {
  try {
    await client.query('begin')
    await client.query(sql)
    await client.query('insert into schema_migrations (name, checksum) values ($1, $2)', [name, checksum])
    await client.query('commit')
  } catch (cause) {
    await client.query('rollback').catch(() => {})
    throw new Error(`The migration ${name} failed: ${(cause as Error).message}`, { cause })
  }
}
