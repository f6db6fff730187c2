/** Everything a team owns as one tar archive, streamed: what is spooled lies on disk, and memory holds some rows. */
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { tarBlock, tarHeader, tarPadding } from '@teamgrid/api'
import { type Kysely, type RawBuilder, sql } from 'kysely'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import type { Database } from '../stores/postgres/schema.ts'
import { writeHistoryFile } from './history-file.ts'
import type { ExportsDeps } from './service.ts'
import { blobColumns, type ExportTable, looseColumns, type Scope, tables, userColumns } from './tables.ts'

type Db = Kysely<Database>

/** Of the layout; a reader refuses what is newer than it. */
export const exportVersion = 1
const rowsPerFetch = 500
const consoleLinesPerPage = 5000

const readMe = `# A team, whole

Made by Teamgrid. Give it back to an empty server with: teamgrid admin import FOLDER

- tables/*.jsonl    rows, one JSON object a line: experiments with config and summary, files, artifacts, members, audit
- history/*.parquet what each experiment logged, by its id: a column per number, and the raw line
- system/*.parquet  what its machine measured
- console/*.jsonl   what it printed
- blobs/            files and artifacts, by the keys that the tables name
- contents/         files of datastores, by their SHA-256
- manifest.json     how much there should be; written last
`

export type ExportedExperiment = {
  id: string
  rewritten: boolean
  history: number
  system: number
  console: number
}

type ExportedContent = { sha256: string; size: number; key: string; start: number; damaged: boolean }

export function createExport({ db, access, teams, experiments, metrics, blobs, clock }: ExportsDeps) {
  /**
   * The archive of a team as chunks. Whoever may not read the whole audit log gets none of it, and of private projects only
   * their own.
   */
  async function exportTeam(
    actor: Actor,
    slug: string,
  ): Promise<{ slug: string; chunks: AsyncGenerator<Uint8Array> }> {
    const team = await access.allowed(actor, 'data:export', teams.teamGuard(slug))
    const seesAll = await access.permits(actor, 'audit:read', team)
    const scope: Scope = {
      teamId: team.id,
      withAudit: seesAll,
      ...(seesAll ? {} : { projectOwnerId: actor.userId }),
    }
    await record(db, actor, 'data:export', {
      teamId: team.id,
      kind: 'team',
      id: team.id,
      details: { slug: team.slug },
    })
    await teams.sealAudit()
    return { slug: team.slug, chunks: archive(scope, team.slug) }
  }

  async function* archive(scope: Scope, slug: string): AsyncGenerator<Uint8Array> {
    const folder = await mkdtemp(join(tmpdir(), 'teamgrid-export-'))
    try {
      const counts = await spoolTables(folder, scope)
      const header = {
        format: 'teamgrid-export',
        version: exportVersion,
        team: slug,
        at: clock.now().toISOString(),
      }
      yield* text('teamgrid-export.json', JSON.stringify(header))
      yield* text('README.md', readMe)
      for (const name of Object.keys(counts)) yield* file(`tables/${name}.jsonl`, join(folder, name))
      const written = { experiments: 0, lines: 0, console: 0, blobs: 0, contents: 0 }
      for await (const line of linesOf(join(folder, '-experiments'))) {
        const experiment = JSON.parse(line) as ExportedExperiment
        written.experiments += 1
        for (const stream of ['history', 'system'] as const) {
          if (experiment[stream] === 0) continue
          const path = join(folder, '-lines.parquet')
          const { id, rewritten } = experiment
          const source = { metrics, pointsOf: experiments.pointsOf }
          written.lines += await writeHistoryFile(path, source, {
            id,
            stream,
            lines: experiment[stream],
            rewritten,
          })
          yield* file(`${stream}/${id}.parquet`, path)
        }
        if (experiment.console > 0) {
          const path = join(folder, '-console')
          written.console += await spoolConsole(path, experiment)
          yield* file(`console/${experiment.id}.jsonl`, path)
        }
      }
      const missing: string[] = []
      let before = ''
      for await (const key of linesOf(join(folder, '-blobs'))) {
        // In order, so that what several rows name follows each other.
        if (key === before) continue
        before = key
        const found = await blobs.stat(key)
        if (!found) {
          missing.push(key)
          continue
        }
        yield tarHeader(`blobs/${key}`, found.sizeBytes)
        if (found.sizeBytes > 0) yield* await blobs.get(key)
        yield new Uint8Array(tarPadding(found.sizeBytes))
        written.blobs += 1
      }
      for await (const line of linesOf(join(folder, '-contents'))) {
        const content = JSON.parse(line) as ExportedContent
        if (content.damaged || !(await blobs.stat(content.key))) {
          missing.push(`contents/${content.sha256}`)
          continue
        }
        yield tarHeader(`contents/${content.sha256}`, content.size)
        if (content.size > 0)
          yield* await blobs.get(content.key, { start: content.start, end: content.start + content.size - 1 })
        yield new Uint8Array(tarPadding(content.size))
        written.contents += 1
      }
      yield* text('manifest.json', JSON.stringify({ tables: counts, ...written, missing }))
      yield new Uint8Array(2 * tarBlock)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  /** All rows of one moment. @returns how many of each table. */
  async function spoolTables(folder: string, scope: Scope): Promise<Record<string, number>> {
    const counts: Record<string, number> = {}
    await db
      .transaction()
      .setIsolationLevel('repeatable read')
      .setAccessMode('read only')
      .execute(async (trx) => {
        counts['users'] = await spool(trx, join(folder, 'users'), await usersOf(trx, scope))
        for (const table of tables)
          counts[table.name] = await spool(trx, join(folder, table.name), rowsOf(table, scope))
        const streams = sql`select jsonb_build_object('id', t.id, 'rewritten', t.rewritten,
            'history', coalesce(upper(t.history_lines), 0), 'system', coalesce(upper(t.system_lines), 0),
            'console', coalesce(upper(t.console_lines), 0))::text as row
          from experiments t where ${tables.find(({ name }) => name === 'experiments')!.where(scope)} order by id`
        await spool(trx, join(folder, '-experiments'), streams)
        const keys = Object.entries(blobColumns).map(
          ([name, column]) => sql`select t.${sql.ref(column)} as row from ${sql.table(name)} t
            where ${tables.find((table) => table.name === name)!.where(scope)} and t.${sql.ref(column)} is not null`,
        )
        const versions = tables.find(({ name }) => name === 'datastore_entries')!
        const contents = sql`select jsonb_build_object('sha256', c.sha256_hex, 'size', c.size_bytes, 'key', c.blob_key,
            'start', c.start_byte, 'damaged', c.damaged_at is not null)::text as row
          from datastore_contents c where c.sha256_hex in (
            select t.sha256_hex from datastore_entries t where ${versions.where(scope)})
          order by c.blob_key, c.start_byte`
        await spool(trx, join(folder, '-contents'), contents)
        await spool(trx, join(folder, '-blobs'), sql`${sql.join(keys, sql` union `)} order by 1`)
      })
    return counts
  }

  async function spoolConsole(path: string, experiment: ExportedExperiment): Promise<number> {
    const out = createWriteStream(path)
    let written = 0
    for (let from = 0; from < experiment.console;) {
      const { lines } = await metrics.console({
        experimentId: experiment.id,
        lineFrom: from,
        lineTo: experiment.console,
        limit: consoleLinesPerPage,
      })
      if (lines.length === 0) break
      await put(out, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
      written += lines.length
      from = lines.at(-1)!.line + 1
    }
    await end(out)
    return written
  }

  return { exportTeam }
}

function rowsOf(table: ExportTable, scope: Scope): RawBuilder<unknown> {
  const loose = Object.entries(looseColumns[table.name] ?? {}).map(
    ([column, inside]) =>
      [
        column,
        sql`case when t.${sql.ref(column)} in (${inside(scope)}) then t.${sql.ref(column)} end`,
      ] as const,
  )
  const others = [...loose, ...Object.entries(table.shown?.(scope) ?? {})].map(
    ([column, value]) => sql` || jsonb_build_object(${sql.lit(column)}, ${value})`,
  )
  const without = (table.without ?? []).map((column) => sql` - ${sql.lit(column)}`)
  // The minus binds tighter than the bars.
  const row = sql`((to_jsonb(t)${sql.join(others, sql``)})${sql.join(without, sql``)})::text`
  return sql`select ${row} as row from ${sql.table(table.name)} t where ${table.where(scope)} order by ${sql.raw(table.order)}`
}

/** Everybody whom a row of the team names. */
async function usersOf(trx: Db, scope: Scope): Promise<RawBuilder<unknown>> {
  const { rows } = await sql<{ name: string; column: string }>`
    select c.conrelid::regclass::text as name, a.attname as column
    from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    where c.contype = 'f' and c.confrelid = 'users'::regclass and array_length(c.conkey, 1) = 1`.execute(trx)
  const named = rows.flatMap(({ name, column }) => {
    const table = tables.find((each) => each.name === name)
    return table
      ? [sql`select t.${sql.ref(column)} from ${sql.table(name)} t where ${table.where(scope)}`]
      : []
  })
  const columns = userColumns.map((column) => sql`${sql.lit(column)}, u.${sql.ref(column)}`)
  return sql`select jsonb_build_object(${sql.join(columns)})::text as row from users u
    where u.id in (${sql.join(named, sql` union `)}) order by u.id`
}

/** Row by row through a cursor into a file, a line each. @returns how many. */
async function spool(trx: Db, path: string, query: RawBuilder<unknown>): Promise<number> {
  const out = createWriteStream(path)
  let count = 0
  await sql`declare spooled no scroll cursor for ${query}`.execute(trx)
  for (;;) {
    const { rows } = await sql<{ row: string }>`fetch ${sql.lit(rowsPerFetch)} from spooled`.execute(trx)
    if (rows.length > 0) await put(out, rows.map(({ row }) => `${row}\n`).join(''))
    count += rows.length
    if (rows.length < rowsPerFetch) break
  }
  await sql`close spooled`.execute(trx)
  await end(out)
  return count
}

export function put(out: NodeJS.WritableStream, chunk: string): Promise<void> {
  return new Promise((resolve, reject) => {
    out.write(chunk, (error) => (error ? reject(error) : resolve()))
  })
}

export function end(out: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve, reject) => {
    out.once('error', reject)
    out.end(resolve)
  })
}

export function linesOf(path: string): AsyncIterable<string> {
  return createInterface({ input: createReadStream(path), crlfDelay: Infinity })
}

async function* file(name: string, path: string): AsyncGenerator<Uint8Array> {
  const { size } = await stat(path)
  yield tarHeader(name, size)
  yield* createReadStream(path) as AsyncIterable<Uint8Array>
  yield new Uint8Array(tarPadding(size))
}

async function* text(name: string, content: string): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content)
  yield tarHeader(name, bytes.length)
  yield bytes
  yield new Uint8Array(tarPadding(bytes.length))
}
