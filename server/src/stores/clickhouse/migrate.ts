/** Brings the tables of the metric store up to date: numbered SQL files, each applied once, forward only. */
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { ClickHouse } from './open.ts'

const migrationsDirectory = fileURLToPath(new URL('./migrations/', import.meta.url))

/**
 * Applies the migrations that this database has not seen. Statements are written so that doing one twice is harmless
 * (`IF NOT EXISTS`): a migration that was cut short, or started by two processes at once, is simply done again.
 *
 * @returns the names of the files applied now.
 */
export async function migrateClickHouse({ client }: Pick<ClickHouse, 'client'>): Promise<string[]> {
  await client.command({
    query: `CREATE TABLE IF NOT EXISTS migrations (name String, applied_at DateTime DEFAULT now())
            ENGINE = ReplacingMergeTree ORDER BY name`,
  })
  const result = await client.query({ query: 'SELECT DISTINCT name FROM migrations', format: 'JSONEachRow' })
  const applied = new Set((await result.json<{ name: string }>()).map((row) => row.name))
  const files = (await readdir(migrationsDirectory)).filter((name) => name.endsWith('.sql')).sort()
  const missing = files.filter((name) => !applied.has(name))
  for (const name of missing) {
    for (const statement of statementsOf(await readFile(`${migrationsDirectory}${name}`, 'utf8')))
      await client.command({ query: statement })
    await client.command({
      query: 'INSERT INTO migrations (name) SELECT {name:String}',
      query_params: { name },
    })
  }
  return missing
}

/** Statements end with a semicolon at the end of a line; `--` comments stand on their own lines. */
function statementsOf(sql: string): string[] {
  return sql
    .split('\n')
    .filter((line) => !line.startsWith('--'))
    .join('\n')
    .split(/;\s*(?:\n|$)/)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
}
