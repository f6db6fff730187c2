/**
 * Gives an export back to a server. The archive is a stranger's: names are checked before they are used, nothing that is
 * there is ever written over, and no row may belong to anybody but the team it brings. Bytes and lines are stored as they
 * come; rows follow in one transaction at the end, so that a broken import leaves nothing.
 */
import { createWriteStream, type WriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { GridError, Id, readTar, type TarEntry } from '@teamgrid/api'
import { type Kysely, sql } from 'kysely'
import { z } from 'zod'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import type { Database } from '../stores/postgres/schema.ts'
import type { Adoption } from '../datastores/service.ts'
import { end, exportVersion, linesOf, put } from './export.ts'
import { readHistoryFile } from './history-file.ts'
import type { ExportsDeps } from './service.ts'
import { blobColumns, digestColumns, type ExportTable, type Scope, tables } from './tables.ts'

type Db = Kysely<Database>

const rowsPerInsert = 500
const insertBytesMax = 8 * 1024 * 1024
const smallBytesMax = 64 * 1024 * 1024
const consolePerAppend = 1000

const Header = z.object({ format: z.literal('teamgrid-export'), version: z.number(), team: z.string() })
const Manifest = z.object({
  tables: z.record(z.string(), z.number()),
  blobs: z.number(),
  // Exports of before had datastores listed and no more.
  contents: z.number().default(0),
  missing: z.array(z.string()).default([]),
  lines: z.number(),
  console: z.number(),
})
const Team = z.object({
  id: Id,
  slug: z.string(),
  kind: z.enum(['team', 'personal']),
  personal_user_id: Id.nullable(),
})
const ImportedUser = z.object({
  id: Id,
  username: z.string().min(1).max(64),
  name: z.string().max(500),
  email: z.email().nullable(),
  kind: z.enum(['person', 'service']),
  disabled_at: z.string().nullable(),
  created_at: z.string(),
})
const ConsoleRow = z.object({
  line: z.number().int().min(0),
  timeMs: z.number().nullable(),
  level: z.enum(['info', 'error']),
  label: z.string(),
  text: z.string(),
})

export type Imported = { team: string; experiments: number; people: number; blobs: number; lines: number }

/** What has been put down so far, to be taken away when the rest fails. */
type Progress = {
  folder: string
  blobKeys: string[]
  experimentIds: Set<string>
  tables: Set<string>
  lines: number
  console: number
  contents: number
  adoption: Adoption
  /** What came, for the database to compare: `key sha256` of blobs, SHA-256 of contents, a line each. */
  came: { blobs: WriteStream; contents: WriteStream }
  manifest?: z.infer<typeof Manifest>
  hasHeader: boolean
}

export function createImport({
  db,
  access,
  teams,
  experiments,
  datastores,
  metrics,
  blobs,
  events,
}: ExportsDeps) {
  /** @throws GridError invalid for what is no export; conflict for what is here already. Nothing has changed then. */
  async function importTeam(actor: Actor, source: AsyncIterable<Uint8Array>): Promise<Imported> {
    await access.proveInOrganisation(actor, 'org:users')
    await access.proveInOrganisation(actor, 'team:create')
    const folder = await mkdtemp(join(tmpdir(), 'teamgrid-import-'))
    const progress: Progress = {
      folder,
      blobKeys: [],
      experimentIds: new Set(),
      tables: new Set(),
      lines: 0,
      console: 0,
      contents: 0,
      adoption: datastores.beginAdoption(),
      came: {
        blobs: createWriteStream(join(folder, '-blobs')),
        contents: createWriteStream(join(folder, '-contents')),
      },
      hasHeader: false,
    }
    try {
      for await (const entry of readTar(source)) await take(progress, entry)
      await progress.adoption.flush()
      await Promise.all(Object.values(progress.came).map(end))
      const { manifest } = progress
      if (!manifest) throw new GridError('invalid', 'This export is not whole: its manifest is missing')
      if (
        manifest.lines !== progress.lines ||
        manifest.console !== progress.console ||
        manifest.blobs !== progress.blobKeys.length ||
        manifest.contents !== progress.contents
      )
        throw new GridError('invalid', 'This export is not whole: there is less in it than it says')
      const { team, people, projectIds } = await putRows(actor, progress, manifest)
      for (const projectId of projectIds) await experiments.rebuildFacts(projectId)
      events.publish({ type: 'team.changed', teamId: team.id })
      return {
        team: team.slug,
        experiments: manifest.tables['experiments'] ?? 0,
        people,
        blobs: progress.blobKeys.length,
        lines: progress.lines,
      }
    } catch (error) {
      await takeBack(progress)
      throw error
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  async function take(progress: Progress, entry: TarEntry): Promise<void> {
    const { name } = entry
    if (name === 'teamgrid-export.json') {
      const header = parsed(Header, await textOf(entry))
      if (header.version > exportVersion)
        throw new GridError('invalid', 'This export was made by a newer version of Teamgrid; update first')
      progress.hasHeader = true
      return
    }
    if (!progress.hasHeader) throw new GridError('invalid', 'This is no export of Teamgrid')
    if (progress.manifest)
      throw new GridError('invalid', 'There is something after the manifest of this export')
    const [, section = '', rest = ''] = /^([a-z]+)\/(.+)$/.exec(name) ?? []
    if (name === 'manifest.json') progress.manifest = parsed(Manifest, await textOf(entry))
    else if (name === 'README.md') return
    else if (section === 'tables') await takeTable(progress, entry, rest)
    else if (section === 'history' || section === 'system') await takeLines(progress, entry, section, rest)
    else if (section === 'console') await takeConsole(progress, entry, rest)
    else if (section === 'blobs') await takeBlob(progress, entry, rest)
    else if (section === 'contents') await takeContent(progress, entry, rest)
    else throw new GridError('invalid', `"${name}" does not belong into an export`)
  }

  async function takeTable(progress: Progress, entry: TarEntry, rest: string): Promise<void> {
    const name = rest.replace(/\.jsonl$/, '')
    // An older or newer export may have others; they are told from the manifest.
    if (name !== 'users' && !tables.some((table) => table.name === name)) return
    if (progress.tables.has(name)) throw new GridError('invalid', `The table ${name} is there twice`)
    await pipeline(Readable.from(entry.body), createWriteStream(join(progress.folder, name)))
    progress.tables.add(name)
  }

  async function takeLines(progress: Progress, entry: TarEntry, stream: 'history' | 'system', rest: string) {
    const id = await newExperiment(progress, rest.replace(/\.parquet$/, ''))
    const path = join(progress.folder, '-lines.parquet')
    await pipeline(Readable.from(entry.body), createWriteStream(path))
    for await (const rows of readHistoryFile(path)) {
      await metrics.append({
        lines: rows.map(({ line, raw }) => experiments.pointsOf(id, stream, line, raw)),
      })
      progress.lines += rows.length
    }
  }

  async function takeConsole(progress: Progress, entry: TarEntry, rest: string): Promise<void> {
    const id = await newExperiment(progress, rest.replace(/\.jsonl$/, ''))
    const path = join(progress.folder, '-console')
    await pipeline(Readable.from(entry.body), createWriteStream(path))
    let batch: z.infer<typeof ConsoleRow>[] = []
    const flush = async () => {
      await metrics.append({ console: batch.map((line) => ({ experimentId: id, ...line })) })
      progress.console += batch.length
      batch = []
    }
    for await (const line of linesOf(path)) {
      batch.push(parsed(ConsoleRow, line))
      if (batch.length >= consolePerAppend) await flush()
    }
    if (batch.length > 0) await flush()
  }

  /** Lines go only to experiments that this very import brings. */
  async function newExperiment(progress: Progress, id: string): Promise<string> {
    if (!Id.safeParse(id).success) throw new GridError('invalid', `"${id.slice(0, 100)}" is no experiment`)
    if (progress.experimentIds.has(id)) return id
    const there = await db.selectFrom('experiments').select('id').where('id', '=', id).executeTakeFirst()
    if (there) throw new GridError('conflict', 'An experiment of this export is here already')
    progress.experimentIds.add(id)
    return id
  }

  async function takeBlob(progress: Progress, entry: TarEntry, key: string): Promise<void> {
    if (!/^(files|artifacts|code|datastores\/manifests)\//.test(key))
      throw new GridError('invalid', `"${key}" is no file of an export`)
    if (await blobs.stat(key)) throw new GridError('conflict', 'A file of this export is here already')
    progress.blobKeys.push(key)
    const { sha256Hex } = await blobs.put(key, Readable.from(entry.body), { sizeMaxBytes: entry.sizeBytes })
    await put(progress.came.blobs, `${key} ${sha256Hex}\n`)
  }

  async function takeContent(progress: Progress, entry: TarEntry, sha256Hex: string): Promise<void> {
    await progress.adoption.take(sha256Hex, entry.body, entry.sizeBytes)
    await put(progress.came.contents, `${sha256Hex} ${sha256Hex}\n`)
    progress.contents += 1
  }

  async function putRows(actor: Actor, progress: Progress, manifest: z.infer<typeof Manifest>) {
    const team = await onlyTeam(progress)
    return await db.transaction().execute(async (trx) => {
      const there = await trx.selectFrom('teams').select('id').where('id', '=', team.id).executeTakeFirst()
      if (there) throw new GridError('conflict', `The team ${team.slug} is here already`)
      const people = await putPeople(trx, progress, team)
      // A personal team bears the name of its person, who has just claimed it.
      if (team.kind === 'team') await teams.claimSlug(trx, team.slug)
      const scope = { teamId: team.id, withAudit: true }
      for (const table of tables) {
        if (!progress.tables.has(table.name) || isOfBefore(table, manifest)) continue
        const rowCount = await putTable(trx, table, join(progress.folder, table.name))
        const { rows } = await sql<{ count: number }>`
          select count(*) as count from ${sql.table(table.name)} t where ${table.where(scope)}`.execute(trx)
        // A row that belongs to somebody else would not be found as the team's.
        if (rowCount !== rows[0]!.count || rowCount !== manifest.tables[table.name])
          throw new GridError('invalid', `Rows of ${table.name} in this export do not belong to its team`)
      }
      await checkBytes(trx, progress, manifest, scope)
      await sql`delete from audit_queue q using audit_seals s
        where s.activity_id = q.activity_id and s.chain = ${team.id}`.execute(trx)
      const { rows: brought } = await sql<{ count: number }>`
        select count(*) as count from experiments
        where team_id = ${team.id} and id = any(${[...progress.experimentIds]}::uuid[])`.execute(trx)
      if (brought[0]!.count !== progress.experimentIds.size)
        throw new GridError('invalid', 'This export holds lines of experiments that it does not hold')
      await record(trx, actor, 'data:import', {
        teamId: null,
        kind: 'team',
        id: team.id,
        details: { slug: team.slug, rows: manifest.tables },
      })
      const projects = await trx.selectFrom('projects').select('id').where('team_id', '=', team.id).execute()
      return { team, people, projectIds: projects.map(({ id }) => id) }
    })
  }

  /** What the rows name came with them and is what they say; bytes of somebody else are not named. */
  async function checkBytes(
    trx: Db,
    { folder }: Progress,
    { missing }: z.infer<typeof Manifest>,
    scope: Scope,
  ): Promise<void> {
    await loadPairs(trx, 'came_blobs', join(folder, '-blobs'))
    await loadPairs(trx, 'came_contents', join(folder, '-contents'))
    const here = (name: string) => tables.find((table) => table.name === name)!.where(scope)
    for (const [name, column] of Object.entries(blobColumns)) {
      const digest = digestColumns[name]
      const { rows } = await sql<{ key: string; is_damaged: boolean }>`
        select t.${sql.ref(column)} as key, c.key is not null as is_damaged
        from ${sql.table(name)} t left join came_blobs c on c.key = t.${sql.ref(column)}
        where ${here(name)} and t.${sql.ref(column)} is not null and
          (c.key is null ${digest ? sql`or c.digest <> t.${sql.ref(digest)}` : sql``}) limit 1000`.execute(
        trx,
      )
      for (const { key, is_damaged } of rows) {
        if (is_damaged) throw new GridError('invalid', `The file ${key} of this export is damaged`)
        if (!missing.includes(key) || (await blobs.stat(key)))
          throw new GridError('invalid', `Rows of ${name} name ${key}, which this export does not hold`)
      }
    }
    const { rows } = await sql<{ sha256_hex: string }>`
      select t.sha256_hex from datastore_entries t left join came_contents c on c.key = t.sha256_hex
      where ${here('datastore_entries')} and t.sha256_hex is not null and c.key is null limit 1000`.execute(
      trx,
    )
    for (const { sha256_hex } of rows)
      if (!missing.includes(`contents/${sha256_hex}`))
        throw new GridError('invalid', `A datastore names ${sha256_hex}, which this export does not hold`)
  }

  async function onlyTeam(progress: Progress): Promise<z.infer<typeof Team>> {
    if (!progress.tables.has('teams') || !progress.tables.has('users'))
      throw new GridError('invalid', 'This export is not whole: its team is missing')
    const found: string[] = []
    for await (const line of linesOf(join(progress.folder, 'teams'))) found.push(line)
    if (found.length !== 1) throw new GridError('invalid', 'An export holds one team')
    return parsed(Team, found[0]!)
  }

  async function putPeople(trx: Db, progress: Progress, team: z.infer<typeof Team>): Promise<number> {
    let people = 0
    for await (const line of linesOf(join(progress.folder, 'users'))) {
      const person = parsed(ImportedUser, line)
      await teams.adoptPerson(trx, person, { withTeam: person.id !== team.personal_user_id })
      people += 1
    }
    return people
  }

  async function takeBack({ blobKeys, experimentIds }: Progress): Promise<void> {
    await blobs.remove(blobKeys)
    const ids = [...experimentIds]
    for (let start = 0; start < ids.length; start += 100) await metrics.forget(ids.slice(start, start + 100))
  }

  return { importTeam }
}

/** Exports of before listed datastores without their bytes, which makes no datastore. */
function isOfBefore({ name }: ExportTable, manifest: z.infer<typeof Manifest>): boolean {
  const isListed = name === 'datastores' || name === 'datastore_versions'
  return isListed && manifest.tables['datastore_entries'] === undefined
}

/** Lines of `key digest` as a table of this transaction. */
async function loadPairs(trx: Db, name: string, path: string): Promise<void> {
  const table = sql.table(name)
  await sql`create temporary table ${table} (key text primary key, digest text not null) on commit drop`.execute(
    trx,
  )
  let keys: string[] = []
  let digests: string[] = []
  const flush = async () => {
    await sql`insert into ${table} select * from unnest(${keys}::text[], ${digests}::text[])
      on conflict do nothing`.execute(trx)
    keys = []
    digests = []
  }
  for await (const line of linesOf(path)) {
    const [key = '', digest = ''] = line.split(' ')
    keys.push(key)
    digests.push(digest)
    if (keys.length >= 5000) await flush()
  }
  await flush()
}

/** @returns how many rows. */
async function putTable(trx: Db, table: ExportTable, path: string): Promise<number> {
  const { name, without = [], arriving = {} } = table
  const { rows: columns } = await sql<{ name: string }>`
    select column_name as name from information_schema.columns
    where table_schema = current_schema() and table_name = ${name} and is_generated = 'NEVER' and is_identity = 'NO'`.execute(
    trx,
  )
  let wanted: string[] | undefined
  let batch: string[] = []
  let bytes = 0
  let count = 0
  const flush = async () => {
    const filled = Object.keys(arriving)
    const plain = wanted!.filter((each) => !filled.includes(each))
    const names = [...plain, ...filled].map((each) => sql.ref(each))
    const values = [...plain.map((each) => sql`r.${sql.ref(each)}`), ...Object.values(arriving)]
    try {
      // The text goes to the database as it is: reading it here would round large numbers.
      await sql`insert into ${sql.table(name)} (${sql.join(names)})
        select ${sql.join(values)} from jsonb_populate_recordset(null::${sql.table(name)}, ${`[${batch.join(',')}]`}::jsonb) r`.execute(
        trx,
      )
    } catch (error) {
      const { code, detail } = error as { code?: string; detail?: string }
      if (!code || !/^(22|23)/.test(code)) throw error
      throw new GridError(
        code === '23505' ? 'conflict' : 'invalid',
        `Rows of ${name} do not fit here: ${detail ?? String(error)}`,
        {
          cause: error,
        },
      )
    }
    count += batch.length
    batch = []
    bytes = 0
  }
  for await (const line of linesOf(path)) {
    wanted ??= columnsOf(line).filter(
      (key) => columns.some((column) => column.name === key) && !without.includes(key),
    )
    if (wanted.length === 0) throw new GridError('invalid', `The table ${name} of this export has no columns`)
    batch.push(line)
    bytes += line.length
    if (batch.length >= rowsPerInsert || bytes >= insertBytesMax) await flush()
  }
  if (batch.length > 0) await flush()
  return count
}

/** An older export lacks columns of today; those get their defaults. */
function columnsOf(line: string): string[] {
  return Object.keys(parsed(z.record(z.string(), z.unknown()), line))
}

async function textOf({ body, sizeBytes, name }: TarEntry): Promise<string> {
  if (sizeBytes > smallBytesMax) throw new GridError('invalid', `${name} is too large`)
  const parts: Uint8Array[] = []
  for await (const part of body) parts.push(part)
  return Buffer.concat(parts).toString()
}

function parsed<Shape extends z.ZodType>(shape: Shape, text: string): z.infer<Shape> {
  try {
    return shape.parse(JSON.parse(text))
  } catch (cause) {
    throw new GridError('invalid', 'This export holds something that cannot be read', { cause })
  }
}
