import { GridError } from '@teamgrid/api'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { superuser, startEmbeddedPostgres, type EmbeddedPostgres, type Log } from './embedded.ts'
import { clientWithNames, createStatementNames } from './named-statements.ts'

export type { Log } from './embedded.ts'

// oxlint-disable-next-line typescript/no-explicit-any -- the tables are named by whoever opens: `openPostgres<Database>`
export type OpenPostgres<DB = any> = {
  db: Kysely<DB>
  /** The pool behind `db`, for what needs a connection of its own. */
  pool: pg.Pool
  /** For connections outside of the pool, such as a long `LISTEN`. Holds the password, if there is one: never print it. */
  connectionString: string
  /** Answers when the database answers. @throws GridError unavailable */
  ping: () => Promise<void>
  /** Waits for queries under way, then stops the embedded server if there is one. */
  close: () => Promise<void>
}

export type OpenPostgresOptions = {
  /** null: the embedded Postgres in `dataDir`. */
  databaseUrl: string | null
  dataDir: string
  log: Log
  connectionsMax?: number
}

const database = 'teamgrid'
const connectSecondsMax = 10
/** Older servers lack what the migrations use; 14 is the oldest still kept by its makers. */
const oldestVersion = 14

/**
 * Opens the database: the one of `databaseUrl`, or an embedded PostgreSQL under `dataDir`. Does not migrate; see
 * `migrate.ts`.
 *
 * @throws GridError unavailable (or storage_full), one sentence without the password.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- see OpenPostgres
export async function openPostgres<DB = any>(options: OpenPostgresOptions): Promise<OpenPostgres<DB>> {
  if (options.databaseUrl !== null) {
    checkUrl(options.databaseUrl)
    return await connect<DB>(options.databaseUrl, options, undefined)
  }
  const embedded = await startEmbeddedPostgres(options)
  try {
    await createDatabase(embedded)
    return await connect<DB>(embeddedUrl(embedded, database), options, embedded)
  } catch (error) {
    await embedded.stop()
    throw error
  }
}

/** The connection string of a database of an embedded server, through its socket. */
export function embeddedUrl({ socketDir, port }: EmbeddedPostgres, name: string): string {
  return `postgres://${superuser}@localhost:${port}/${name}?host=${encodeURIComponent(socketDir)}`
}

/**
 * A pool with our reading of types: `bigint` columns arrive as numbers (all of ours are counts and bytes below 2^53;
 * a larger one throws), `timestamptz` as Date, `numeric` as string.
 */
export function createPool(
  connectionString: string,
  log: Log,
  connectionsMax = 20,
  Client: typeof pg.Client = pg.Client,
): pg.Pool {
  const pool = new pg.Pool({
    Client,
    connectionString,
    max: connectionsMax,
    connectionTimeoutMillis: connectSecondsMax * 1000,
    idleTimeoutMillis: 30_000,
    allowExitOnIdle: true,
    application_name: 'teamgrid',
    types: {
      getTypeParser: ((oid: number, format: 'text') =>
        oid === pg.types.builtins.INT8 ? parseBigint : pg.types.getTypeParser(oid, format)) as never,
    },
  })
  // A connection that breaks while idle is replaced by the pool; without a listener it would end the process.
  pool.on('error', (error) => log.warn(`A database connection broke: ${error.message}`))
  // The pool listens only while a connection is idle. One that breaks between two queries of a transaction would end the
  // process too; its next query rejects, and that is enough.
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}

function parseBigint(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new Error(`The database returned ${text}, too large for a number.`)
  return value
}

async function connect<DB>(
  connectionString: string,
  { log, connectionsMax }: OpenPostgresOptions,
  embedded: EmbeddedPostgres | undefined,
): Promise<OpenPostgres<DB>> {
  // Not with a database of one's own: between us may be a pooler that lends each statement another connection.
  const Client = embedded ? clientWithNames(createStatementNames()) : pg.Client
  const pool = createPool(connectionString, log, connectionsMax, Client)
  try {
    const { rows } = await pool.query<{ version: string }>(
      `select current_setting('server_version_num') as version`,
    )
    const version = Math.floor(Number(rows[0]?.version) / 10_000)
    if (version < oldestVersion)
      throw new GridError(
        'unavailable',
        `The database of DATABASE_URL is PostgreSQL ${version}; Teamgrid needs ${oldestVersion} or newer.`,
      )
  } catch (error) {
    await pool.end()
    throw error instanceof GridError ? error : connectFailure(error, connectionString)
  }
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }) })
  return {
    db,
    pool,
    connectionString,
    async ping() {
      try {
        await pool.query('select 1')
      } catch (cause) {
        throw new GridError('unavailable', 'The database does not answer.', { cause, retryAfterSeconds: 2 })
      }
    },
    async close() {
      await db.destroy()
      await embedded?.stop()
    },
  }
}

async function createDatabase(embedded: EmbeddedPostgres): Promise<void> {
  const client = new pg.Client({ connectionString: embeddedUrl(embedded, 'postgres') })
  await client.connect()
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [database])
    if (rowCount === 0) await client.query(`create database ${database}`)
  } finally {
    await client.end()
  }
}

function checkUrl(url: string): void {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed && (parsed.protocol === 'postgres:' || parsed.protocol === 'postgresql:')) return
  throw new GridError(
    'unavailable',
    'DATABASE_URL is not a Postgres address; it looks like postgres://user:password@host:5432/database.',
  )
}

/** Source of the codes: PostgreSQL documentation, appendix A. */
function connectFailure(cause: unknown, url: string): GridError {
  const { code, message } = cause as { code?: string; message: string }
  const { hostname, port, pathname, username } = new URL(url)
  const place = `${hostname || 'localhost'}:${port || '5432'}`
  const name = decodeURIComponent(pathname.slice(1))
  const reasons: Record<string, string> = {
    ECONNREFUSED: `nothing listens at ${place}`,
    ENOTFOUND: `there is no host called ${hostname}`,
    EAI_AGAIN: `there is no host called ${hostname}`,
    EHOSTUNREACH: `the host ${hostname} cannot be reached`,
    ENETUNREACH: `the host ${hostname} cannot be reached`,
    ETIMEDOUT: `${place} does not answer`,
    ENOENT: `there is no Postgres socket at ${place}`,
    '28P01': `the password of user "${decodeURIComponent(username)}" is wrong`,
    '28000': `user "${decodeURIComponent(username)}" may not log in (${message})`,
    '3D000': `there is no database "${name}" at ${place}`,
    '42501': `user "${decodeURIComponent(username)}" may not use database "${name}"`,
    '53300': `it has no free connection`,
    '57P03': `it is still starting up`,
  }
  const known = (code && reasons[code]) || (/timeout/i.test(message) ? `${place} does not answer` : message)
  return new GridError('unavailable', `The database of DATABASE_URL cannot be used: ${known}.`, { cause })
}
