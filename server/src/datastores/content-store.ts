/** The SQL of stored contents and of uploads on their way. */
import type { DatastoreVisibility } from '@teamgrid/api'
import { sql } from 'kysely'
import type { Db } from './store.ts'

export type Content = { sha256Hex: string; sizeBytes: number; blobKey: string; startByte: number }

export type StoredUpload = {
  id: string
  teamId: string
  teamSlug: string
  ownerId: string
  viaUserId: string | null
  forUserId: string
  name: string
  source: string
  visibility: DatastoreVisibility
  files: number | null
  sizeBytes: number | null
  createdAt: Date
  expiresAt: Date
}

const uploadQuery = (db: Db) =>
  db
    .selectFrom('datastore_uploads as up')
    .innerJoin('teams as t', 't.id', 'up.team_id')
    .select([
      'up.id',
      'up.team_id as teamId',
      't.slug as teamSlug',
      'up.owner_id as ownerId',
      'up.via_user_id as viaUserId',
      'up.for_user_id as forUserId',
      'up.name',
      'up.source',
      'up.visibility',
      'up.file_count as files',
      'up.size_bytes as sizeBytes',
      'up.created_at as createdAt',
      'up.expires_at as expiresAt',
    ])

export function findUpload(db: Db, id: string): Promise<StoredUpload | undefined> {
  return uploadQuery(db).where('up.id', '=', id).executeTakeFirst()
}

/** Null for one that a person sends. */
export async function importState(db: Db, uploadId: string) {
  const row = await db
    .selectFrom('datastore_imports')
    .select('state')
    .where('id', '=', uploadId)
    .executeTakeFirst()
  return row?.state ?? null
}

export function listUploads(db: Db, ownerId: string): Promise<StoredUpload[]> {
  return uploadQuery(db).where('up.owner_id', '=', ownerId).orderBy('up.id', 'desc').execute()
}

export async function insertUpload(trx: Db, upload: Omit<StoredUpload, 'teamSlug'>): Promise<void> {
  await trx
    .insertInto('datastore_uploads')
    .values({
      id: upload.id,
      team_id: upload.teamId,
      owner_id: upload.ownerId,
      via_user_id: upload.viaUserId,
      for_user_id: upload.forUserId,
      name: upload.name,
      source: upload.source,
      visibility: upload.visibility,
      file_count: upload.files,
      size_bytes: upload.sizeBytes,
      created_at: upload.createdAt,
      expires_at: upload.expiresAt,
    })
    .execute()
}

/** @returns false when it is gone. */
export async function renewUpload(db: Db, id: string, expiresAt: Date): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('datastore_uploads')
    .set({ expires_at: expiresAt })
    .where('id', '=', id)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** @returns the arrivals that it leaves unfinished, to be abandoned once that is committed. */
export async function deleteUpload(trx: Db, id: string): Promise<Arrival[]> {
  const unfinished = await trx
    .selectFrom('datastore_part_blobs')
    .select(['blob_key as blobKey', 'token'])
    .where('upload_id', '=', id)
    .execute()
  await trx.deleteFrom('datastore_uploads').where('id', '=', id).execute()
  return unfinished
}

export async function expiredUploads(db: Db, now: Date, limit: number): Promise<string[]> {
  const rows = await db
    .selectFrom('datastore_uploads')
    .select('id')
    .where('expires_at', '<', now)
    .limit(limit)
    .execute()
  return rows.map((row) => row.id)
}

/** Bytes of what an upload has already, and of parts of what it has not. */
export async function arrivedBytes(db: Db, uploadId: string): Promise<number> {
  const { rows } = await sql<{ bytes: number }>`
    select (
      (select coalesce(sum(c.size_bytes), 0) from datastore_upload_contents uc
        join datastore_contents c using (sha256_hex) where uc.upload_id = ${uploadId}) +
      (select coalesce(sum(size_bytes), 0) from datastore_parts where upload_id = ${uploadId})
    )::bigint as bytes`.execute(db)
  return rows[0]!.bytes
}

/**
 * Grants an upload those of these contents that its owner may read anyway: of team mates' versions that are not
 * private, of their own, and what it was granted before. That a content is somewhere else says nothing to them: who
 * names a digest has not proven to have the bytes.
 */
export async function grantReadable(
  db: Db,
  upload: { id: string; teamId: string; ownerId: string },
  sha256Hexes: string[],
  now: Date,
): Promise<void> {
  const digests = sql<string[]>`${sha256Hexes}::text[]`
  // One look into the index for each digest. As one set, a database that has not yet counted a large new version reads
  // all of it for every digest.
  await sql`
    with granted as (
      insert into datastore_upload_contents (upload_id, sha256_hex)
      select ${upload.id}::uuid, c.sha256_hex from (select distinct unnest(${digests}) as sha256_hex) asked
      join datastore_contents c using (sha256_hex)
      cross join lateral (
        select from (select version_id from datastore_entries where sha256_hex = asked.sha256_hex offset 0) e
        join datastore_versions v on v.id = e.version_id
        join datastores d on d.id = v.datastore_id
        where v.deleted_at is null and d.team_id = ${upload.teamId}
          and (d.visibility <> 'private' or d.owner_id = ${upload.ownerId})
        limit 1) seen
      where c.damaged_at is null
      on conflict do nothing)
    update datastore_contents set touched_at = ${now} where sha256_hex = any(${digests})`.execute(db)
}

/**
 * Notes contents whose bytes have arrived and been checked, and grants them to the upload. What is stored already stays
 * where it is, unless it was damaged.
 *
 * @returns whether any of these blobs is needed.
 */
export async function insertContents(
  trx: Db,
  uploadId: string,
  contents: readonly Content[],
  now: Date,
): Promise<boolean> {
  const rows = JSON.stringify(
    contents.map(({ sha256Hex, sizeBytes, blobKey, startByte }) => ({
      sha256_hex: sha256Hex,
      size_bytes: sizeBytes,
      blob_key: blobKey,
      start_byte: startByte,
    })),
  )
  // In one order everywhere, so that two uploads of the same contents never wait for each other in a circle.
  const stored = await sql<{ blob_key: string }>`
    insert into datastore_contents as known (sha256_hex, size_bytes, blob_key, start_byte, touched_at)
    select distinct on (sha256_hex) sha256_hex, size_bytes, blob_key, start_byte, ${now}::timestamptz
    from jsonb_to_recordset(${rows}::jsonb) as content
      (sha256_hex text, size_bytes bigint, blob_key text, start_byte bigint)
    order by sha256_hex
    on conflict (sha256_hex) do update set
      touched_at = excluded.touched_at,
      blob_key = case when known.damaged_at is null then known.blob_key else excluded.blob_key end,
      start_byte = case when known.damaged_at is null then known.start_byte else excluded.start_byte end,
      damaged_at = null
    returning blob_key`.execute(trx)
  await sql`
    insert into datastore_upload_contents (upload_id, sha256_hex)
    select distinct ${uploadId}::uuid, sha256_hex
    from jsonb_to_recordset(${rows}::jsonb) as content (sha256_hex text)
    order by sha256_hex on conflict do nothing`.execute(trx)
  const sent = new Set(contents.map(({ blobKey }) => blobKey))
  return stored.rows.some(({ blob_key }) => sent.has(blob_key))
}

/** Those that an upload may use, with their sizes. */
export async function grantedSizes(
  db: Db,
  uploadId: string,
  sha256Hexes: string[],
): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('datastore_upload_contents as uc')
    .innerJoin('datastore_contents as c', 'c.sha256_hex', 'uc.sha256_hex')
    .select(['c.sha256_hex', 'c.size_bytes'])
    .where('uc.upload_id', '=', uploadId)
    .where('c.damaged_at', 'is', null)
    .where('uc.sha256_hex', '=', (eb) => eb.fn.any(sql<string[]>`${sha256Hexes}::text[]`))
    .execute()
  return new Map(rows.map((row) => [row.sha256_hex, row.size_bytes]))
}

const contentQuery = (db: Db) =>
  db
    .selectFrom('datastore_contents')
    .select([
      'sha256_hex as sha256Hex',
      'size_bytes as sizeBytes',
      'blob_key as blobKey',
      'start_byte as startByte',
      'damaged_at as damagedAt',
    ])

export function findContent(db: Db, sha256Hex: string) {
  return contentQuery(db).where('sha256_hex', '=', sha256Hex).executeTakeFirst()
}

export function listContents(db: Db, sha256Hexes: string[]) {
  return contentQuery(db)
    .where('sha256_hex', '=', (eb) => eb.fn.any(sql<string[]>`${sha256Hexes}::text[]`))
    .orderBy('blob_key')
    .orderBy('start_byte')
    .execute()
}

/** @returns false when it was brought again meanwhile, or is known to be damaged. */
export async function setDamaged(db: Db, sha256Hex: string, blobKey: string, now: Date): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('datastore_contents')
    .set({ damaged_at: now })
    .where('sha256_hex', '=', sha256Hex)
    .where('blob_key', '=', blobKey)
    .where('damaged_at', 'is', null)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

export async function setVerified(db: Db, sha256Hex: string, now: Date): Promise<void> {
  await db
    .updateTable('datastore_contents')
    .set({ verified_at: now })
    .where('sha256_hex', '=', sha256Hex)
    .execute()
}

export async function storedBytes(db: Db): Promise<number> {
  const { rows } = await sql<{ bytes: number }>`
    select coalesce(sum(size_bytes), 0)::bigint as bytes from datastore_contents`.execute(db)
  return rows[0]!.bytes
}

/** Contents that nobody has read since `before`, nor stored; those of longest ago first. */
export function longestUnread(db: Db, before: Date, limit: number) {
  const readAt = sql<Date>`coalesce(verified_at, created_at)`
  return contentQuery(db)
    .where('damaged_at', 'is', null)
    .where(readAt, '<', before)
    .orderBy(readAt)
    .limit(limit)
    .execute()
}

/** Datastores that hold a content, each with the newest version that does and a path in it. */
export async function holdersOf(db: Db, sha256Hex: string) {
  const { rows } = await sql<{
    teamId: string
    teamSlug: string
    datastoreId: string
    ownerId: string
    username: string
    name: string
    number: number
    path: string
  }>`
    select distinct on (d.id) d.team_id as "teamId", t.slug as "teamSlug", d.id as "datastoreId",
      d.owner_id as "ownerId", u.username, d.name, v.number,
      case when e.folder = '' then e.name else e.folder || '/' || e.name end as path
    from datastore_entries e
    join datastore_versions v on v.id = e.version_id
    join datastores d on d.id = v.datastore_id
    join teams t on t.id = d.team_id
    join users u on u.id = d.owner_id
    where e.sha256_hex = ${sha256Hex} and v.purged_at is null
    order by d.id, v.number desc, 8
    limit 100`.execute(db)
  return rows
}

export async function adminsOf(db: Db, teamId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('memberships')
    .select('user_id')
    .where('team_id', '=', teamId)
    .where('role', '=', 'admin')
    .execute()
  return rows.map((row) => row.user_id)
}

/** Of versions with damaged files: how many. */
export async function damagedFiles(db: Db, datastoreIds: string[]): Promise<Map<string, number>> {
  const { rows } = await sql<{ version_id: string; files: number }>`
    select e.version_id, count(*)::int as files
    from datastore_contents c
    join datastore_entries e on e.sha256_hex = c.sha256_hex
    join datastore_versions v on v.id = e.version_id
    where c.damaged_at is not null and v.datastore_id = any(${datastoreIds}::uuid[])
    group by 1`.execute(db)
  return new Map(rows.map((row) => [row.version_id, row.files]))
}

/** A blob that arrives in parts. */
export type Arrival = { blobKey: string; token: string }
export type Part = { sha256Hex: string; number: number; sizeBytes: number; proof: string }

export async function listParts(db: Db, uploadId: string, sha256Hexes: string[]): Promise<Part[]> {
  return await db
    .selectFrom('datastore_parts')
    .select(['sha256_hex as sha256Hex', 'number', 'size_bytes as sizeBytes', 'proof'])
    .where('upload_id', '=', uploadId)
    .where('sha256_hex', '=', (eb) => eb.fn.any(sql<string[]>`${sha256Hexes}::text[]`))
    .orderBy('sha256_hex')
    .orderBy('number')
    .execute()
}

export function findArrival(db: Db, uploadId: string, sha256Hex: string): Promise<Arrival | undefined> {
  return db
    .selectFrom('datastore_part_blobs')
    .select(['blob_key as blobKey', 'token'])
    .where('upload_id', '=', uploadId)
    .where('sha256_hex', '=', sha256Hex)
    .executeTakeFirst()
}

/** @returns false when another request began it at the same moment. */
export async function insertArrival(
  db: Db,
  uploadId: string,
  sha256Hex: string,
  { blobKey, token }: Arrival,
): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('datastore_part_blobs')
    .values({ upload_id: uploadId, sha256_hex: sha256Hex, blob_key: blobKey, token })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return (numInsertedOrUpdatedRows ?? 0n) > 0n
}

/** A part that comes again takes its own place. */
export async function putPartRow(db: Db, uploadId: string, part: Part): Promise<void> {
  await db
    .insertInto('datastore_parts')
    .values({
      upload_id: uploadId,
      sha256_hex: part.sha256Hex,
      number: part.number,
      size_bytes: part.sizeBytes,
      proof: part.proof,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['upload_id', 'sha256_hex', 'number'])
        .doUpdateSet({ size_bytes: part.sizeBytes, proof: part.proof }),
    )
    .execute()
}

export async function deleteArrival(db: Db, uploadId: string, sha256Hex: string): Promise<void> {
  await db
    .deleteFrom('datastore_part_blobs')
    .where('upload_id', '=', uploadId)
    .where('sha256_hex', '=', sha256Hex)
    .execute()
}

/**
 * Empties versions that were in the trash for long enough.
 *
 * @returns the manifests nobody needs any more.
 */
export async function purgeVersions(
  trx: Db,
  deletedBefore: Date,
  now: Date,
  limit: number,
): Promise<string[]> {
  const { rows } = await sql<{ id: string; manifest_key: string }>`
    update datastore_versions set purged_at = ${now}
    where id in (
      select id from datastore_versions
      where deleted_at < ${deletedBefore} and purged_at is null limit ${limit} for update skip locked)
    returning id, manifest_key`.execute(trx)
  for (const { id } of rows) await trx.deleteFrom('datastore_entries').where('version_id', '=', id).execute()
  return rows.map((row) => row.manifest_key)
}

/**
 * Forgets contents that no version and no upload holds and that nobody asked for since `untouchedSince`. An upload
 * that is just being granted one keeps it: its row refers to the content, so one of the two waits and then sees the other.
 *
 * @returns blobs in which nothing is stored any more.
 */
export async function forgetContents(trx: Db, untouchedSince: Date, limit: number): Promise<string[]> {
  const { rows } = await sql<{ blob_key: string }>`
    with forgotten as (
      delete from datastore_contents where sha256_hex in (
        select c.sha256_hex from datastore_contents c
        where c.touched_at < ${untouchedSince}
          and not exists (select from datastore_entries e where e.sha256_hex = c.sha256_hex)
          and not exists (select from datastore_upload_contents u where u.sha256_hex = c.sha256_hex)
        limit ${limit} for update skip locked)
      returning sha256_hex, blob_key)
    select distinct blob_key from forgotten f
    where not exists (
      select from datastore_contents c
      where c.blob_key = f.blob_key and c.sha256_hex not in (select sha256_hex from forgotten))`.execute(trx)
  return rows.map((row) => row.blob_key)
}
