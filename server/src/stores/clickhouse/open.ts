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
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client'
import { drainPending, Session } from 'chdb'
import { createChdbConnection } from 'chdb/connection'
import { migrateClickHouse } from './migrate.ts'

/** From this size on an insert is worth several threads. */
const parallelFromBytes = 1024 * 1024

export type ClickHouse = {
  client: ClickHouseClient
  database: string
  /** Inserts tab-separated rows; resolves when the engine has stored them. */
  insert: (table: string, columns: readonly string[], rows: string) => Promise<void>
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
 */
export async function openClickHouse(options: { url: string | null; path: string }): Promise<ClickHouse> {
  const clickhouse = options.url === null ? await openEmbedded(options.path) : await openServer(options.url)
  try {
    await migrateClickHouse(clickhouse)
  } catch (error) {
    await clickhouse.close()
    throw error
  }
  return clickhouse
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
  return {
    client,
    database,
    async insert(table, columns, rows) {
      const { stream } = await client.exec({
        query: insertStatement(table, columns),
        values: Readable.from([Buffer.from(rows)]),
      })
      // The answer has no body, but the socket returns to the pool only when it was read.
      stream.resume()
    },
    close: () => client.close(),
  }
}

async function openEmbedded(path: string): Promise<ClickHouse> {
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
  let closed = false
  return {
    client,
    database,
    async insert(table, columns, rows) {
      // Handed over as bytes: the engine reads them where they are, off the main thread.
      const values = Buffer.from(rows)
      const isSmall = values.length < parallelFromBytes
      await writer.insert({
        table,
        columns,
        settings: {
          precise_float_parsing: 1,
          // Threads cost a small insert more than they do for it.
          ...(isSmall ? { input_format_parallel_parsing: 0, max_threads: 1 } : {}),
        },
        format: 'TabSeparated',
        values,
      })
    },
    async close() {
      if (closed) return
      closed = true
      await drainPending()
      await client.close()
      writer.close()
      await drainPending()
    },
  }
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
 * to merge, which costs reading little and saves writing a third. A large merge is on the disk before what it replaces
 * is removed, so a power cut cannot reach far back; what it can cost is in docs/performance.md.
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
    <min_compressed_bytes_to_fsync_after_merge>1048576</min_compressed_bytes_to_fsync_after_merge>
  </merge_tree>
</clickhouse>
`
