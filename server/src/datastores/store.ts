/** The SQL of datastores and their versions; rows become shapes here. */
import type { DatastoreVisibility } from '@teamgrid/api'
import { type Kysely, sql, type Transaction } from 'kysely'
import type { Guarded } from '../actor.ts'
import type { Database } from '../stores/postgres/schema.ts'

export type Db = Kysely<Database> | Transaction<Database>

export type Person = { username: string; name: string }

export type StoredDatastore = Guarded & {
  id: string
  teamSlug: string
  ownerId: string
  owner: Person
  name: string
  description: string
  visibility: DatastoreVisibility
  lastVersion: number
  createdAt: Date
}

export type StoredVersion = {
  id: string
  datastoreId: string
  number: number
  digest: string
  manifestKey: string
  source: string
  files: number
  sizeBytes: number
  createdBy: Person
  createdAt: Date
  deletedAt: Date | null
  purgedAt: Date | null
}

const datastoreQuery = (db: Db) =>
  db
    .selectFrom('datastores as d')
    .innerJoin('teams as t', 't.id', 'd.team_id')
    .innerJoin('users as u', 'u.id', 'd.owner_id')
    .select([
      'd.id',
      'd.team_id as teamId',
      't.slug as teamSlug',
      't.policy_preset',
      't.policy_overrides',
      't.kind as teamKind',
      'd.owner_id as ownerId',
      'd.via_user_id as createdById',
      'u.username',
      'u.name as ownerName',
      'd.name',
      'd.description',
      'd.visibility',
      'd.last_version as lastVersion',
      'd.created_at as createdAt',
    ])

type Row = Awaited<ReturnType<ReturnType<typeof datastoreQuery>['executeTakeFirstOrThrow']>>

function shaped({
  policy_preset,
  policy_overrides,
  teamKind,
  username,
  ownerName,
  ...row
}: Row): StoredDatastore {
  return {
    ...row,
    owner: { username, name: ownerName },
    teamRules: { policy_preset, policy_overrides, kind: teamKind },
    kind: 'datastore',
    label: row.name,
  }
}

export async function findDatastore(db: Db, id: string): Promise<StoredDatastore | undefined> {
  const row = await datastoreQuery(db).where('d.id', '=', id).executeTakeFirst()
  return row && shaped(row)
}

export async function findByName(
  db: Db,
  place: { teamId: string; ownerId: string; name: string },
): Promise<StoredDatastore | undefined> {
  const row = await datastoreQuery(db)
    .where('d.team_id', '=', place.teamId)
    .where('d.owner_id', '=', place.ownerId)
    .where('d.name', '=', place.name)
    .executeTakeFirst()
  return row && shaped(row)
}

/**
 * Candidates, newest first: of these teams, or open to the organisation. Whether the asker may see each is for the
 * caller to prove.
 *
 * @param after id of the last one of the page before.
 */
export async function listDatastores(
  db: Db,
  where: { teamIds: string[]; organisationToo: boolean; owner?: string; name?: string; after?: string },
  limit: number,
): Promise<StoredDatastore[]> {
  let query = datastoreQuery(db)
    .where((eb) => {
      const inTeams = eb('d.team_id', '=', eb.fn.any(sql<string[]>`${where.teamIds}::uuid[]`))
      return where.organisationToo ? eb.or([inTeams, eb('d.visibility', '=', 'organisation')]) : inTeams
    })
    .orderBy('d.id', 'desc')
    .limit(limit)
  if (where.owner !== undefined) {
    const owner = where.owner.toLowerCase()
    query = query.where((eb) =>
      eb.or([
        eb(sql`lower(u.username)`, '=', owner),
        eb(sql`lower(u.email)`, '=', owner),
        eb(sql`lower(t.slug)`, '=', owner),
      ]),
    )
  }
  if (where.name !== undefined) query = query.where('d.name', '=', where.name)
  if (where.after !== undefined) query = query.where('d.id', '<', where.after)
  return (await query.execute()).map(shaped)
}

/** The datastore of that owner and name, made if need be. Locks its row, so that versions get their numbers in turn. */
export async function ensureDatastore(
  trx: Db,
  wanted: {
    id: string
    teamId: string
    ownerId: string
    viaUserId: string | null
    name: string
    visibility: DatastoreVisibility
    createdAt: Date
  },
): Promise<{ datastore: StoredDatastore; made: boolean }> {
  const inserted = await trx
    .insertInto('datastores')
    .values({
      id: wanted.id,
      team_id: wanted.teamId,
      owner_id: wanted.ownerId,
      via_user_id: wanted.viaUserId,
      name: wanted.name,
      visibility: wanted.visibility,
      created_at: wanted.createdAt,
    })
    .onConflict((conflict) => conflict.columns(['team_id', 'owner_id', 'name']).doNothing())
    .executeTakeFirst()
  await trx
    .selectFrom('datastores')
    .select('id')
    .where('team_id', '=', wanted.teamId)
    .where('owner_id', '=', wanted.ownerId)
    .where('name', '=', wanted.name)
    .forUpdate()
    .execute()
  const datastore = await findByName(trx, wanted)
  return { datastore: datastore!, made: (inserted.numInsertedOrUpdatedRows ?? 0n) > 0n }
}

export async function changeDatastore(
  trx: Db,
  id: string,
  change: { description?: string; visibility?: DatastoreVisibility },
): Promise<void> {
  await trx.updateTable('datastores').set(change).where('id', '=', id).execute()
}

const versionQuery = (db: Db) =>
  db
    .selectFrom('datastore_versions as v')
    .innerJoin('users as u', 'u.id', 'v.created_by')
    .select([
      'v.id',
      'v.datastore_id as datastoreId',
      'v.number',
      'v.digest',
      'v.manifest_key as manifestKey',
      'v.source',
      'v.file_count as files',
      'v.size_bytes as sizeBytes',
      'u.username',
      'u.name',
      'v.created_at as createdAt',
      'v.deleted_at as deletedAt',
      'v.purged_at as purgedAt',
    ])

type VersionRow = Awaited<ReturnType<ReturnType<typeof versionQuery>['executeTakeFirstOrThrow']>>

function versionOf({ username, name, ...row }: VersionRow): StoredVersion {
  return { ...row, createdBy: { username, name } }
}

/** Of these datastores, newest first; without those whose content is gone. */
export async function listVersions(db: Db, datastoreIds: string[]): Promise<StoredVersion[]> {
  if (datastoreIds.length === 0) return []
  const rows = await versionQuery(db)
    .where('v.datastore_id', '=', (eb) => eb.fn.any(sql<string[]>`${datastoreIds}::uuid[]`))
    .where('v.purged_at', 'is', null)
    .orderBy('v.number', 'desc')
    .execute()
  return rows.map(versionOf)
}

export async function findVersion(
  db: Db,
  datastoreId: string,
  number: number,
): Promise<StoredVersion | undefined> {
  const row = await versionQuery(db)
    .where('v.datastore_id', '=', datastoreId)
    .where('v.number', '=', number)
    .executeTakeFirst()
  return row && versionOf(row)
}

/** A version with just these files that is not deleted. */
export async function findVersionByDigest(
  db: Db,
  datastoreId: string,
  digest: string,
): Promise<StoredVersion | undefined> {
  const row = await versionQuery(db)
    .where('v.datastore_id', '=', datastoreId)
    .where('v.digest', '=', digest)
    .where('v.deleted_at', 'is', null)
    .orderBy('v.number', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row && versionOf(row)
}

/** @returns its number, the next one of the datastore. */
export async function insertVersion(
  trx: Db,
  version: {
    id: string
    datastoreId: string
    digest: string
    manifestKey: string
    source: string
    files: number
    sizeBytes: number
    createdBy: string
    createdAt: Date
  },
): Promise<number> {
  const { last_version: number } = await trx
    .updateTable('datastores')
    .set({ last_version: sql<number>`last_version + 1` })
    .where('id', '=', version.datastoreId)
    .returning('last_version')
    .executeTakeFirstOrThrow()
  await trx
    .insertInto('datastore_versions')
    .values({
      id: version.id,
      datastore_id: version.datastoreId,
      number,
      digest: version.digest,
      manifest_key: version.manifestKey,
      source: version.source,
      file_count: version.files,
      size_bytes: version.sizeBytes,
      created_by: version.createdBy,
      created_at: version.createdAt,
    })
    .execute()
  return number
}

export async function setDeleted(
  trx: Db,
  versionId: string,
  deleted: { at: Date; by: string | null } | null,
): Promise<void> {
  await trx
    .updateTable('datastore_versions')
    .set({ deleted_at: deleted?.at ?? null, deleted_by: deleted?.by ?? null })
    .where('id', '=', versionId)
    .where('purged_at', 'is', null)
    .execute()
}

/** Per owner in a team: what is there, and what it takes when equal files count once. */
export async function storageByOwner(db: Db, teamId: string) {
  const { rows } = await sql<{
    ownerId: string
    username: string
    name: string
    datastores: number
    versions: number
    sizeBytes: number
    storedBytes: number
    private: number
  }>`
    with alive as (
      select d.owner_id, d.id as datastore_id, v.id as version_id, v.size_bytes
      from datastores d join datastore_versions v on v.datastore_id = d.id
      where d.team_id = ${teamId} and v.purged_at is null
    ), stored as (
      select owner_id, sum(size_bytes) as bytes from (
        select distinct alive.owner_id, e.sha256_hex, e.size_bytes
        from alive join datastore_entries e on e.version_id = alive.version_id and e.kind = 'file'
      ) as each_once group by owner_id
    )
    select u.id as "ownerId", u.username, u.name,
      count(distinct alive.datastore_id)::int as datastores, count(*)::int as versions,
      coalesce(sum(alive.size_bytes), 0)::bigint as "sizeBytes",
      coalesce(max(stored.bytes), 0)::bigint as "storedBytes"
    from alive join users u on u.id = alive.owner_id left join stored on stored.owner_id = alive.owner_id
    group by u.id order by "storedBytes" desc, u.username`.execute(db)
  return rows
}
