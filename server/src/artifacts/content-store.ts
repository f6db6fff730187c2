/** The SQL of what is in artifacts: manifests on their way in, entries of committed versions, stored content. */
import { sql } from 'kysely'
import type { Db } from './store.ts'
import type { Entry } from './manifest.ts'

/** Content that a project stores. */
export type Blob = {
  md5Hex: string
  sha256Hex: string
  blobKey: string
  sizeBytes: number
  /** The version in which the project first had it. */
  birthArtifactId: string | null
}

export type ManifestType = 'FULL' | 'PATCH' | 'INCREMENTAL'

export type StoredManifest = {
  id: string
  artifactId: string
  baseArtifactId: string | null
  name: string
  type: ManifestType
  /** Base64 MD5 of the file; empty while the client only holds the place. */
  digest: string
  blobKey: string | null
}

const manifestQuery = (db: Db) =>
  db
    .selectFrom('artifact_manifests')
    .select([
      'id',
      'artifact_id as artifactId',
      'base_artifact_id as baseArtifactId',
      'name',
      'type',
      'digest',
      'blob_key as blobKey',
    ])

export function findManifest(db: Db, id: string): Promise<StoredManifest | undefined> {
  return manifestQuery(db).where('id', '=', id).executeTakeFirst()
}

/** In the order they were made. */
export function listManifests(db: Db, artifactId: string): Promise<StoredManifest[]> {
  return manifestQuery(db).where('artifact_id', '=', artifactId).orderBy('id').execute()
}

export async function insertManifest(trx: Db, manifest: Omit<StoredManifest, 'blobKey'>): Promise<void> {
  await trx
    .insertInto('artifact_manifests')
    .values({
      id: manifest.id,
      artifact_id: manifest.artifactId,
      base_artifact_id: manifest.baseArtifactId,
      name: manifest.name,
      type: manifest.type,
      digest: manifest.digest,
      blob_key: null,
    })
    .execute()
}

/** Bytes that were stored under another digest no longer count. */
export async function changeManifest(
  trx: Db,
  id: string,
  change: { name?: string; type?: ManifestType; digest: string; baseArtifactId: string | null },
): Promise<void> {
  await trx
    .updateTable('artifact_manifests')
    .set({
      ...(change.name === undefined ? {} : { name: change.name }),
      ...(change.type === undefined ? {} : { type: change.type }),
      digest: change.digest,
      base_artifact_id: change.baseArtifactId,
      blob_key: sql<string | null>`case when digest = ${change.digest} then blob_key end`,
    })
    .where('id', '=', id)
    .execute()
}

/** @returns false when the manifest was replaced meanwhile, so that these bytes are nobody's. */
export async function setManifestBlob(db: Db, id: string, digest: string, blobKey: string): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('artifact_manifests')
    .set({ blob_key: blobKey })
    .where('id', '=', id)
    .where('digest', '=', digest)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** Which of these contents the project stores. */
export async function findBlobs(db: Db, projectId: string, md5Hexes: string[]): Promise<Map<string, Blob>> {
  if (md5Hexes.length === 0) return new Map()
  const rows = await db
    .selectFrom('artifact_blobs')
    .select([
      'md5_hex as md5Hex',
      'blob_key as blobKey',
      'size_bytes as sizeBytes',
      'sha256_hex as sha256Hex',
      'birth_artifact_id as birthArtifactId',
    ])
    .where('project_id', '=', projectId)
    .where('md5_hex', '=', (eb) => eb.fn.any(sql<string[]>`${md5Hexes}::text[]`))
    .execute()
  return new Map(rows.map((row) => [row.md5Hex, row]))
}

/** @returns false when the project has this content already, stored meanwhile under another key. */
export async function insertBlob(
  db: Db,
  blob: {
    projectId: string
    md5Hex: string
    blobKey: string
    sizeBytes: number
    sha256Hex: string
    birthArtifactId: string | null
  },
): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('artifact_blobs')
    .values({
      project_id: blob.projectId,
      md5_hex: blob.md5Hex,
      blob_key: blob.blobKey,
      size_bytes: blob.sizeBytes,
      sha256_hex: blob.sha256Hex,
      birth_artifact_id: blob.birthArtifactId,
    })
    .onConflict((conflict) => conflict.columns(['project_id', 'md5_hex']).doNothing())
    .executeTakeFirst()
  return (numInsertedOrUpdatedRows ?? 0n) > 0n
}

const rowsPerInsert = 5000

export async function insertEntries(trx: Db, artifactId: string, entries: Iterable<Entry>): Promise<void> {
  const all = [...entries]
  for (let start = 0; start < all.length; start += rowsPerInsert) {
    const rows = all.slice(start, start + rowsPerInsert).map((entry) => ({
      path: entry.path,
      digest: entry.digest,
      size_bytes: entry.sizeBytes,
      birth_artifact_id: entry.birthArtifactId,
      ref: entry.ref,
      extra: entry.extra,
    }))
    // One parameter instead of seven a row: Postgres takes at most 65 535 parameters.
    await sql`
      insert into artifact_entries (artifact_id, path, digest, size_bytes, birth_artifact_id, ref, extra)
      select ${artifactId}::uuid, path, digest, size_bytes, birth_artifact_id, ref, extra
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as entry
        (path text, digest text, size_bytes bigint, birth_artifact_id uuid, ref text, extra jsonb)
    `.execute(trx)
  }
}

const entryColumns = [
  'path',
  'digest',
  'size_bytes as sizeBytes',
  'birth_artifact_id as birthArtifactId',
  'ref',
  'extra',
] as const

/** Entries in the order of their paths' bytes. */
export async function listEntries(
  db: Db,
  artifactId: string,
  page: { limit?: number; after?: string; paths?: string[] } = {},
): Promise<Entry[]> {
  // The same order on every server, whatever its locale.
  const byBytes = sql<string>`path collate "C"`
  let query = db
    .selectFrom('artifact_entries')
    .select(entryColumns)
    .where('artifact_id', '=', artifactId)
    .orderBy(byBytes)
  if (page.limit !== undefined) query = query.limit(page.limit)
  if (page.after !== undefined) query = query.where(byBytes, '>', page.after)
  if (page.paths !== undefined) {
    query = query.where('path', '=', (eb) => eb.fn.any(sql<string[]>`${page.paths}::text[]`))
  }
  return await query.execute()
}

/** Where the content of a committed version lies, by collection and MD5; `artifactId` narrows it to one version. */
export async function findPublished(
  db: Db,
  where: { projectId: string; collectionId?: string; artifactId?: string; digest: string; md5Hex: string },
): Promise<{ artifactId: string; blobKey: string } | undefined> {
  let query = db
    .selectFrom('artifact_entries as e')
    .innerJoin('artifacts as a', 'a.id', 'e.artifact_id')
    .innerJoin('artifact_collections as c', 'c.id', 'a.collection_id')
    .innerJoin('artifact_blobs as b', (join) =>
      join.onRef('b.project_id', '=', 'c.project_id').on('b.md5_hex', '=', where.md5Hex),
    )
    .select(['a.id as artifactId', 'b.blob_key as blobKey'])
    .where('c.project_id', '=', where.projectId)
    .where('a.state', '=', 'committed')
    .where('e.digest', '=', where.digest)
    .where('e.ref', 'is', null)
    .limit(1)
  if (where.collectionId !== undefined) query = query.where('c.id', '=', where.collectionId)
  if (where.artifactId !== undefined) query = query.where('a.id', '=', where.artifactId)
  return await query.executeTakeFirst()
}

/** Projects of a team that store this content. */
export async function projectsWith(db: Db, teamId: string, md5Hex: string): Promise<string[]> {
  const rows = await db
    .selectFrom('artifact_blobs as b')
    .innerJoin('projects as p', 'p.id', 'b.project_id')
    .select('p.id')
    .where('p.team_id', '=', teamId)
    .where('b.md5_hex', '=', md5Hex)
    .limit(100)
    .execute()
  return rows.map((row) => row.id)
}
