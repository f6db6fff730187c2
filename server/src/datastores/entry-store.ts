/** The SQL of what is in versions: their files, links and folders. */
import type { DatastoreEntry } from '@teamgrid/api'
import { sql } from 'kysely'
import type { Db } from './store.ts'

export type Entry = DatastoreEntry & { folder: string }

/** @throws when two of them have one name, such as a file and a folder. */
export async function insertEntries(trx: Db, versionId: string, entries: readonly Entry[]): Promise<void> {
  if (entries.length === 0) return
  const rows = entries.map((entry) => ({
    folder: entry.folder,
    name: entry.name,
    kind: entry.kind,
    sha256_hex: entry.sha256Hex,
    size_bytes: entry.sizeBytes,
    file_count: entry.files,
    executable: entry.executable,
    link_target: entry.linkTarget,
  }))
  // One parameter instead of eight a row: Postgres takes at most 65 535 parameters.
  await sql`
    insert into datastore_entries
      (version_id, folder, name, kind, sha256_hex, size_bytes, file_count, executable, link_target)
    select ${versionId}::uuid, folder, name, kind, sha256_hex, size_bytes, file_count, executable, link_target
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as entry
      (folder text, name text, kind text, sha256_hex text, size_bytes bigint, file_count bigint,
       executable boolean, link_target text)`.execute(trx)
}

const entryQuery = (db: Db, versionId: string) =>
  db
    .selectFrom('datastore_entries')
    .select([
      'folder',
      'name',
      'kind',
      'sha256_hex as sha256Hex',
      'size_bytes as sizeBytes',
      'file_count as files',
      'executable',
      'link_target as linkTarget',
    ])
    .where('version_id', '=', versionId)

/** What lies directly in a folder, by name. @param after the last name of the page before. */
export function listFolder(
  db: Db,
  versionId: string,
  folder: string,
  page: { limit: number; after?: string },
): Promise<Entry[]> {
  let query = entryQuery(db, versionId).where('folder', '=', folder).orderBy('name').limit(page.limit)
  if (page.after !== undefined) query = query.where('name', '>', page.after)
  return query.execute()
}

export function findEntry(db: Db, versionId: string, path: string): Promise<Entry | undefined> {
  const [folder, name] = splitPath(path)
  return entryQuery(db, versionId).where('folder', '=', folder).where('name', '=', name).executeTakeFirst()
}

export function splitPath(path: string): [folder: string, name: string] {
  const slash = path.lastIndexOf('/')
  return [slash < 0 ? '' : path.slice(0, slash), path.slice(slash + 1)]
}

type Differing = {
  path: string
  how: 'added' | 'removed' | 'changed'
  sizeBefore: number | null
  sizeAfter: number | null
}

/** Files and links of two versions side by side: how many of each kind, and the first `limit` that differ. */
export async function compareVersions(db: Db, before: string, after: string, limit: number) {
  const sides = sql`
    select coalesce(b.folder, a.folder) as folder, coalesce(b.name, a.name) as name,
      b.size_bytes as before_bytes, a.size_bytes as after_bytes,
      case when b.name is null then 'added' when a.name is null then 'removed'
        when (b.kind, b.sha256_hex, b.executable, b.link_target)
          is not distinct from (a.kind, a.sha256_hex, a.executable, a.link_target) then 'same'
        else 'changed' end as how
    from (select * from datastore_entries where version_id = ${before} and kind <> 'folder') b
    full join (select * from datastore_entries where version_id = ${after} and kind <> 'folder') a
      on a.folder = b.folder and a.name = b.name`
  const [counts, entries] = await Promise.all([
    sql<{ how: string; count: number }>`
      select how, count(*)::int as count from (${sides}) as side group by how`.execute(db),
    sql<Differing>`
      select case when folder = '' then name else folder || '/' || name end as path, how,
        before_bytes as "sizeBefore", after_bytes as "sizeAfter"
      from (${sides}) as side where how <> 'same' order by 1 limit ${limit}`.execute(db),
  ])
  return { counts: new Map(counts.rows.map(({ how, count }) => [how, count])), entries: entries.rows }
}

/** Those of these contents that are in a version. */
export async function contentsIn(db: Db, versionId: string, sha256Hexes: string[]): Promise<Set<string>> {
  const { rows } = await sql<{ sha256_hex: string }>`
    select distinct sha256_hex from datastore_entries
    where sha256_hex = any(${sha256Hexes}::text[]) and version_id = ${versionId}`.execute(db)
  return new Set(rows.map((row) => row.sha256_hex))
}

/** Bytes of contents that only this version holds. */
export async function bytesOnlyIn(db: Db, versionId: string): Promise<number> {
  const { rows } = await sql<{ bytes: number }>`
    select coalesce(sum(size_bytes), 0)::bigint as bytes from (
      select distinct e.sha256_hex, e.size_bytes from datastore_entries e
      where e.version_id = ${versionId} and e.kind = 'file' and not exists (
        select from datastore_entries other
        where other.sha256_hex = e.sha256_hex and other.version_id <> ${versionId})
    ) as alone`.execute(db)
  return rows[0]!.bytes
}
