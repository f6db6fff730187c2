/**
 * Opens the metric engine: a ClickHouse server, or chDB, the same engine inside this process. Everything that is
 * peculiar to chDB stays in this file:
 *
 * - It binds one data directory per process, and aborts the process if a connection is closed while busy: `close` waits.
 * - A connection runs one statement at a time, so reading and writing have one each.
 * - Settings of the engine are taken from a configuration file when the first connection opens, never later.
 * - Data that follows an INSERT statement ends at the first empty line, and what comes after is run as SQL. So rows are
 *   only ever sent as tab-separated text, where a line break inside a value is escaped and no line is empty. Binary
 *   formats would be faster to write and are not safe here.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client'
import { drainPending, Session } from 'chdb'
import { createChdbConnection } from 'chdb/connection'
import { deleteExperiments } from './delete-experiments.ts'
import { type Engine, type Insert, openLoggedWrites } from './logged-writes.ts'
import { migrateClickHouse } from './migrate.ts'

/** From this size on an insert is worth several threads. */
const parallelFromBytes = 1024 * 1024

export type ClickHouse = {
  client: ClickHouseClient
  database: string
  /** Stores rows of several tables, one after the other; resolves when they are durable. */
  write: (inserts: readonly Insert[]) => Promise<void>
  /** Hides all rows of these experiments, for good. */
  forget: (experimentIds: readonly string[]) => Promise<void>
  /** Makes what is written durable in the tables themselves. It happens by itself; the embedded engine has use for it. */
  checkpoint: () => Promise<void>
  /** Waits for what is running, then releases the engine. */
  close: () => Promise<void>
}

/** What the driver may wait for one statement. Deleting a big experiment is the slowest thing we ask. */
const requestTimeoutMs = 120_000

/**
 * Opens the engine and brings its tables up to date.
 *
 * @param url a ClickHouse server (`http://user:password@host:8123/database`), or null for chDB.
 * @param path the data directory of chDB; made if absent. Not used with `url`.
 * @param warn hears, in a sentence, what an operator should know.
 */
export async function openClickHouse({
  url,
  path,
  warn = (text) => void process.stderr.write(`${text}\n`),
}: {
  url: string | null
  path: string
  warn?: (text: string) => void
}): Promise<ClickHouse> {
  return url === null ? await openEmbedded(path, warn) : await openServer(url)
}

async function openServer(url: string): Promise<ClickHouse> {
  const database = decodeURIComponent(new URL(url).pathname.slice(1)) || 'default'
  const client = createClient({
    url,
    request_timeout: requestTimeoutMs,
    application: 'teamgrid',
    // What fails is thrown to the caller, who knows what it means; the driver would print it a second time.
    log: { level: ClickHouseLogLevel.OFF },
    compression: { request: true },
  })
  try {
    await migrateClickHouse({ client })
    await syncEveryInsert(client, database)
  } catch (error) {
    await client.close()
    throw error
  }
  return {
    client,
    database,
    async write(inserts) {
      for (const { table, columns, rows } of inserts) {
        const { stream } = await client.exec({
          query: insertStatement(table, columns),
          values: Readable.from([rows]),
        })
        // The answer has no body, but the socket returns to the pool only when it was read.
        stream.resume()
      }
    },
    forget: (experimentIds) => deleteExperiments(client, experimentIds),
    checkpoint: async () => {},
    close: () => client.close(),
  }
}

/**
 * A server leaves new parts to its kernel unless its tables say otherwise. Tables that say anything of it themselves are
 * left alone: an operator whose tables are replicated may set `fsync_after_insert = 0` there.
 */
async function syncEveryInsert(client: ClickHouseClient, database: string): Promise<void> {
  const result = await client.query({
    query: `SELECT name FROM system.tables WHERE database = {database:String} AND engine LIKE '%MergeTree'
            AND NOT create_table_query LIKE '%fsync_after_insert%'`,
    query_params: { database },
    format: 'JSONEachRow',
  })
  for (const { name } of await result.json<{ name: string }>())
    await client.command({
      query: `ALTER TABLE {name:Identifier} MODIFY SETTING
              fsync_after_insert = 1, fsync_part_directory = 1, min_compressed_bytes_to_fsync_after_merge = 1`,
      query_params: { name },
    })
}

async function openEmbedded(path: string, warn: (text: string) => void): Promise<ClickHouse> {
  const directory = resolve(path)
  mkdirSync(directory, { recursive: true })
  const configuration = join(directory, 'teamgrid-engine.xml')
  writeFileSync(configuration, engineConfiguration)
  // `connectionArgs` is read by the package and missing from its types (chdb 3.4.0, index.js).
  const options = { connectionArgs: [`--config-file=${configuration}`] } as object
  const OpenSession = Session as unknown as new (path: string, options: object) => EmbeddedSession
  const writer = new OpenSession(directory, options)
  const client = createClient({
    connection: createChdbConnection({ path: directory }) as never,
  }) as unknown as ClickHouseClient
  const database = 'teamgrid'
  await client.command({ query: `CREATE DATABASE IF NOT EXISTS ${database} ENGINE = Atomic` })
  await client.command({ query: `USE ${database}` })
  await writer.queryAsync(`USE ${database}`)
  const engine: Engine = {
    async insert({ table, columns, rows }) {
      const isSmall = rows.length < parallelFromBytes
      await writer.insert({
        table,
        columns,
        settings: {
          precise_float_parsing: 1,
          // Threads cost a small insert more than they do for it.
          ...(isSmall ? { input_format_parallel_parsing: 0, max_threads: 1 } : {}),
        },
        format: 'TabSeparated',
        // Handed over as bytes: the engine reads them where they are, off the main thread.
        values: rows,
      })
    },
    forget: (experimentIds) => deleteExperiments(client, experimentIds),
  }
  async function closeEngine(): Promise<void> {
    await drainPending()
    await client.close()
    writer.close()
    await drainPending()
  }
  try {
    const migrated = await migrateClickHouse({ client })
    const logged = await openLoggedWrites(engine, {
      directory: join(directory, 'teamgrid-log'),
      sync: () => syncFileSystem(directory),
      warn,
    })
    const repeated = await logged.replay()
    await warnOfBrokenParts(client, repeated, warn)
    if (migrated.length > 0 || repeated > 0) await logged.checkpoint()
    let closed = false
    return {
      client,
      database,
      write: logged.write,
      forget: logged.forget,
      checkpoint: logged.checkpoint,
      async close() {
        if (closed) return
        closed = true
        await logged.close()
        await closeEngine()
      },
    }
  } catch (error) {
    await closeEngine()
    throw error
  }
}

/**
 * Writes everything that the file system of a folder holds in memory to its disk: parts of tables, the folders they are
 * in, and what has been renamed. Node has no `syncfs`; the `sync` of GNU and busybox has it as `-f`, others sync
 * everything.
 */
async function syncFileSystem(directory: string): Promise<void> {
  try {
    await promisify(execFile)('sync', ['-f', directory])
  } catch {
    await promisify(execFile)('sync')
  }
}

/** The engine sets parts aside that it cannot read. After a power cut they are torn ones, which the log makes again. */
async function warnOfBrokenParts(
  client: ClickHouseClient,
  repeated: number,
  warn: (text: string) => void,
): Promise<void> {
  const result = await client.query({
    query: `SELECT table, count() AS parts FROM system.detached_parts
            WHERE database = currentDatabase() AND reason LIKE 'broken%' GROUP BY table ORDER BY table`,
    format: 'JSONEachRow',
  })
  const broken = await result.json<{ table: string; parts: number }>()
  if (broken.length === 0) return
  const where = broken.map(({ table, parts }) => `${parts} of ${table}`).join(', ')
  warn(
    `Parts of metric tables could not be read and were set aside (${where}). ${repeated} writes from before the last ` +
      'end were done again from the log, which makes up for what a power cut tears; for a damaged disk restore a backup.',
  )
}

type EmbeddedSession = {
  queryAsync(sql: string): Promise<unknown>
  insert(options: {
    table: string
    columns: readonly string[]
    settings: Record<string, number>
    format: string
    values: Buffer
  }): Promise<unknown>
  close(): void
}

/** Numbers are parsed exactly: the engine's default is off by one bit now and then. */
function insertStatement(table: string, columns: readonly string[]): string {
  return `INSERT INTO ${table} (${columns.join(', ')}) SETTINGS precise_float_parsing = 1 FORMAT TabSeparated`
}

/**
 * The embedded engine shares a small machine with the rest of the product, so its caches are small and it keeps no
 * diary of itself.
 *
 * Parts: every insert makes some, of a dozen files each. Indices go into one file, and merges wait until there is more
 * to merge, which costs reading little and saves writing a third. What is merged is removed at once (this engine keeps
 * old parts for 0 seconds, a server for 480), so every merge is synced before. New parts are not: `logged-writes.ts`
 * makes up for them, and however many of them a power cut tears, the engine shall start.
 */
const engineConfiguration = `<clickhouse>
  <mark_cache_size>33554432</mark_cache_size>
  <primary_index_cache_size>33554432</primary_index_cache_size>
  <index_mark_cache_size>8388608</index_mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <query_condition_cache_size>8388608</query_condition_cache_size>
  <compiled_expression_cache_size>8388608</compiled_expression_cache_size>
  <max_thread_pool_size>64</max_thread_pool_size>
  <max_thread_pool_free_size>16</max_thread_pool_free_size>
  <background_pool_size>2</background_pool_size>
  <merge_tree>
    <packed_skip_index_max_bytes>1048576</packed_skip_index_max_bytes>
    <merge_selector_base>8</merge_selector_base>
    <min_compressed_bytes_to_fsync_after_merge>1</min_compressed_bytes_to_fsync_after_merge>
    <max_suspicious_broken_parts>1000000</max_suspicious_broken_parts>
    <max_suspicious_broken_parts_bytes>1000000000000</max_suspicious_broken_parts_bytes>
  </merge_tree>
</clickhouse>
`
