/** The SQL of artifacts. Rows become the shapes of `artifact.ts` and `manifest.ts` here and nowhere else. */
import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Database } from '../stores/postgres/schema.ts'
import type { ArtifactState, StoredArtifact, StoredCollection, VersionRef } from './artifact.ts'

export type Db = Kysely<Database>

function artifactQuery(db: Db) {
  return db
    .selectFrom('artifacts as a')
    .innerJoin('artifact_collections as c', 'c.id', 'a.collection_id')
    .innerJoin('projects as p', 'p.id', 'c.project_id')
    .innerJoin('teams as t', 't.id', 'p.team_id')
    .innerJoin('users as u', 'u.id', 'a.created_by')
    .selectAll('a')
    .select((eb) => [
      'c.id as c_id',
      'c.project_id as c_project_id',
      'c.name as c_name',
      'c.type as c_type',
      'c.kind as c_kind',
      'c.description as c_description',
      'c.created_at as c_created_at',
      'c.updated_at as c_updated_at',
      'p.name as p_name',
      'p.number as p_number',
      'p.visibility as p_visibility',
      'p.created_by as p_created_by',
      't.id as t_id',
      't.slug as t_slug',
      'u.username as u_username',
      'u.name as u_name',
      sql<string[]>`coalesce(${eb
        .selectFrom('artifact_aliases as al')
        .select(sql<string[]>`array_agg(al.alias order by al.alias)`.as('aliases'))
        .whereRef('al.artifact_id', '=', 'a.id')}, '{}')`.as('aliases'),
    ])
}

type ArtifactRow = Awaited<ReturnType<ReturnType<typeof artifactQuery>['execute']>>[number]

function artifactOf(row: ArtifactRow): StoredArtifact {
  return {
    teamId: row.t_id,
    ownerId: row.created_by,
    createdById: row.via_user_id,
    ...(row.experiment_id === null ? {} : { experimentId: row.experiment_id }),
    visibility: row.p_visibility,
    keptById: row.p_created_by,
    kind: 'artifact',
    label: row.version_index === null ? row.c_name : `${row.c_name}:v${row.version_index}`,
    id: row.id,
    collection: {
      id: row.c_id,
      projectId: row.c_project_id,
      projectName: row.p_name,
      projectNumber: row.p_number,
      visibility: row.p_visibility,
      keptById: row.p_created_by,
      teamId: row.t_id,
      teamSlug: row.t_slug,
      name: row.c_name,
      type: row.c_type,
      kind: row.c_kind,
      description: row.c_description,
      createdAt: row.c_created_at,
      updatedAt: row.c_updated_at,
    },
    state: row.state as ArtifactState,
    versionIndex: row.version_index,
    digest: row.digest,
    contentDigest: row.content_digest,
    manifestKey: row.manifest_key,
    description: row.description,
    metadata: row.metadata,
    tags: row.tags,
    wantedAliases: row.wanted_aliases,
    aliases: row.aliases,
    ttlSeconds: row.ttl_seconds,
    historyStep: row.history_step,
    distributedId: row.distributed_id,
    sizeBytes: row.size_bytes,
    fileCount: row.file_count,
    producerId: row.experiment_id,
    createdBy: { username: row.u_username, name: row.u_name },
    createdAt: row.created_at,
    committedAt: row.committed_at,
  }
}

export async function findArtifact(db: Db, id: string): Promise<StoredArtifact | undefined> {
  const row = await artifactQuery(db).where('a.id', '=', id).executeTakeFirst()
  return row && artifactOf(row)
}

/** A committed version by its number or alias. */
export async function findVersion(
  db: Db,
  collectionId: string,
  version: VersionRef,
): Promise<StoredArtifact | undefined> {
  const query = artifactQuery(db)
    .where('a.collection_id', '=', collectionId)
    .where('a.state', '=', 'committed')
  const row = await (
    'index' in version
      ? query.where('a.version_index', '=', version.index)
      : query.where('a.id', '=', (eb) =>
          eb
            .selectFrom('artifact_aliases')
            .select('artifact_id')
            .where('collection_id', '=', collectionId)
            .where('alias', '=', version.alias),
        )
  ).executeTakeFirst()
  return row && artifactOf(row)
}

/** The committed version with the highest number; with `before`, the highest below that number. */
export async function newestVersion(
  db: Db,
  collectionId: string,
  options: { before?: number; contentDigest?: string } = {},
): Promise<StoredArtifact | undefined> {
  let query = artifactQuery(db)
    .where('a.collection_id', '=', collectionId)
    .where('a.state', '=', 'committed')
    .orderBy('a.version_index', 'desc')
    .limit(1)
  if (options.before !== undefined) query = query.where('a.version_index', '<', options.before)
  if (options.contentDigest !== undefined) query = query.where('a.content_digest', '=', options.contentDigest)
  const row = await query.executeTakeFirst()
  return row && artifactOf(row)
}

export async function findPendingShared(
  db: Db,
  collectionId: string,
  distributedId: string,
): Promise<StoredArtifact | undefined> {
  const row = await artifactQuery(db)
    .where('a.collection_id', '=', collectionId)
    .where('a.distributed_id', '=', distributedId)
    .where('a.state', '=', 'pending')
    .executeTakeFirst()
  return row && artifactOf(row)
}

export type ListedVersions = { artifacts: StoredArtifact[]; total: number }

export type VersionFilter = {
  collectionId?: string
  producerId?: string
  usedBy?: string
  /** Only these teams' versions. */
  teamIds: string[]
  /** Which projects count, as a condition on `p`; all if absent. */
  projects?: RawBuilder<boolean>
}

export type VersionPage = { offset?: number; limit: number; oldestFirst?: boolean }

/** Committed versions, newest first unless told. Ids sort by the time they were made. */
export async function listVersions(
  db: Db,
  filter: VersionFilter,
  page: VersionPage,
): Promise<ListedVersions> {
  if (filter.teamIds.length === 0) return { artifacts: [], total: 0 }
  let query = artifactQuery(db).where('a.state', '=', 'committed').where('p.team_id', 'in', filter.teamIds)
  if (filter.projects !== undefined) query = query.where(filter.projects)
  if (filter.collectionId !== undefined) query = query.where('a.collection_id', '=', filter.collectionId)
  if (filter.producerId !== undefined) query = query.where('a.experiment_id', '=', filter.producerId)
  if (filter.usedBy !== undefined) {
    const experimentId = filter.usedBy
    query = query.where('a.id', 'in', (eb) =>
      eb.selectFrom('artifact_uses').select('artifact_id').where('experiment_id', '=', experimentId),
    )
  }
  const { total } = await query
    .clearSelect()
    .select((eb) => eb.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  const rows = await query
    .orderBy('a.id', page.oldestFirst ? 'asc' : 'desc')
    .offset(page.offset ?? 0)
    .limit(page.limit)
    .execute()
  return { artifacts: rows.map(artifactOf), total }
}

const collectionQuery = (db: Db) =>
  db
    .selectFrom('artifact_collections as c')
    .innerJoin('projects as p', 'p.id', 'c.project_id')
    .innerJoin('teams as t', 't.id', 'p.team_id')
    .select([
      'c.id',
      'c.project_id as projectId',
      'p.name as projectName',
      'p.number as projectNumber',
      'p.visibility',
      'p.created_by as keptById',
      't.id as teamId',
      't.slug as teamSlug',
      'c.name',
      'c.type',
      'c.kind',
      'c.description',
      'c.created_at as createdAt',
      'c.updated_at as updatedAt',
    ])

export function findCollection(
  db: Db,
  projectId: string,
  name: string,
): Promise<StoredCollection | undefined> {
  return collectionQuery(db)
    .where('c.project_id', '=', projectId)
    .where('c.name', '=', name)
    .executeTakeFirst()
}

export function findCollectionById(db: Db, id: string): Promise<StoredCollection | undefined> {
  return collectionQuery(db).where('c.id', '=', id).executeTakeFirst()
}

export function listCollections(db: Db, projectId: string, type?: string): Promise<StoredCollection[]> {
  let query = collectionQuery(db).where('c.project_id', '=', projectId).orderBy('c.name')
  if (type !== undefined) query = query.where('c.type', '=', type)
  return query.execute()
}

/** Makes the collection if it is missing, and locks it until the transaction ends: versions are numbered under it. */
export async function lockCollection(
  trx: Db,
  collection: { id: string; projectId: string; name: string; type: string },
  now: Date,
): Promise<StoredCollection> {
  await trx
    .insertInto('artifact_collections')
    .values({
      id: collection.id,
      project_id: collection.projectId,
      name: collection.name,
      type: collection.type,
      description: null,
      created_at: now,
      updated_at: now,
    })
    .onConflict((conflict) => conflict.columns(['project_id', 'name']).doNothing())
    .execute()
  return await collectionQuery(trx)
    .where('c.project_id', '=', collection.projectId)
    .where('c.name', '=', collection.name)
    .forUpdate('c')
    .executeTakeFirstOrThrow()
}

export type NamedByClient = { projectId: string; collectionId: string; artifactId: string | null }

/** What the client's own name stands for, in every project that knows it. */
export function findByClientId(db: Db, clientId: string, projectId?: string): Promise<NamedByClient[]> {
  let query = db
    .selectFrom('artifact_client_ids')
    .select(['project_id as projectId', 'collection_id as collectionId', 'artifact_id as artifactId'])
    .where('client_id', '=', clientId)
    .limit(20)
  if (projectId !== undefined) query = query.where('project_id', '=', projectId)
  return query.execute()
}

/** Remembers the client's own name. The first meaning stays. */
export async function rememberClientId(trx: Db, clientId: string, named: NamedByClient): Promise<void> {
  await trx
    .insertInto('artifact_client_ids')
    .values({
      project_id: named.projectId,
      client_id: clientId,
      collection_id: named.collectionId,
      artifact_id: named.artifactId,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

export async function insertArtifact(
  trx: Db,
  row: {
    id: string
    collectionId: string
    digest: string
    description: string | null
    metadata: string | null
    tags: string[]
    wantedAliases: string[]
    ttlSeconds: number | null
    historyStep: number | null
    distributedId: string | null
    experimentId: string | null
    createdBy: string
    viaUserId: string | null
    createdAt: Date
  },
): Promise<void> {
  await trx
    .insertInto('artifacts')
    .values({
      id: row.id,
      collection_id: row.collectionId,
      version_index: null,
      digest: row.digest,
      content_digest: null,
      manifest_key: null,
      description: row.description,
      metadata: row.metadata,
      tags: row.tags,
      wanted_aliases: row.wantedAliases,
      ttl_seconds: row.ttlSeconds,
      history_step: row.historyStep,
      distributed_id: row.distributedId,
      experiment_id: row.experimentId,
      created_by: row.createdBy,
      via_user_id: row.viaUserId,
      created_at: row.createdAt,
    })
    .execute()
}

/** Adds to what a version that several writers make is asked to get. */
export async function wantMore(trx: Db, id: string, aliases: string[], tags: string[]): Promise<void> {
  await trx
    .updateTable('artifacts')
    .set({
      wanted_aliases: sql<
        string[]
      >`(select array(select distinct unnest(wanted_aliases || ${aliases}::text[])))`,
      tags: sql<string[]>`(select array(select distinct unnest(tags || ${tags}::text[])))`,
    })
    .where('id', '=', id)
    .execute()
}

export async function lockArtifact(trx: Db, id: string): Promise<{ state: ArtifactState } | undefined> {
  return await trx.selectFrom('artifacts').select('state').where('id', '=', id).forUpdate().executeTakeFirst()
}

/** Gives a version these aliases, taking them from whichever version of the collection had them. */
export async function giveAliases(
  trx: Db,
  collectionId: string,
  artifactId: string,
  aliases: string[],
): Promise<void> {
  if (aliases.length === 0) return
  await trx
    .insertInto('artifact_aliases')
    .values(
      [...new Set(aliases)].map((alias) => ({ collection_id: collectionId, alias, artifact_id: artifactId })),
    )
    .onConflict((conflict) =>
      conflict.columns(['collection_id', 'alias']).doUpdateSet({ artifact_id: artifactId }),
    )
    .execute()
}

export async function takeAliases(
  trx: Db,
  collectionId: string,
  artifactId: string,
  aliases: string[],
): Promise<void> {
  if (aliases.length === 0) return
  await trx
    .deleteFrom('artifact_aliases')
    .where('collection_id', '=', collectionId)
    .where('artifact_id', '=', artifactId)
    .where('alias', 'in', aliases)
    .execute()
}

export async function changeArtifact(
  trx: Db,
  id: string,
  change: { description?: string; metadata?: string; ttlSeconds?: number; tags?: string[] },
): Promise<void> {
  const set = {
    ...(change.description === undefined ? {} : { description: change.description }),
    ...(change.metadata === undefined ? {} : { metadata: change.metadata }),
    ...(change.ttlSeconds === undefined ? {} : { ttl_seconds: change.ttlSeconds }),
    ...(change.tags === undefined ? {} : { tags: change.tags }),
  }
  if (Object.keys(set).length > 0) await trx.updateTable('artifacts').set(set).where('id', '=', id).execute()
}

/** Numbers the version and makes it visible; its collection is locked by the caller. @returns the number. */
export async function markCommitted(
  trx: Db,
  artifact: { id: string; collectionId: string },
  result: { contentDigest: string; manifestKey: string; sizeBytes: number; fileCount: number; now: Date },
): Promise<number> {
  const { versions_made } = await trx
    .updateTable('artifact_collections')
    .set((eb) => ({ versions_made: eb('versions_made', '+', 1), updated_at: result.now }))
    .where('id', '=', artifact.collectionId)
    .returning('versions_made')
    .executeTakeFirstOrThrow()
  const versionIndex = versions_made - 1
  await trx
    .updateTable('artifacts')
    .set({
      state: 'committed',
      version_index: versionIndex,
      content_digest: result.contentDigest,
      manifest_key: result.manifestKey,
      size_bytes: result.sizeBytes,
      file_count: result.fileCount,
      committed_at: result.now,
    })
    .where('id', '=', artifact.id)
    .execute()
  return versionIndex
}

export async function listAliases(db: Db, collectionId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('artifact_aliases')
    .select('alias')
    .where('collection_id', '=', collectionId)
    .orderBy('alias')
    .execute()
  return rows.map((row) => row.alias)
}

export async function insertUse(
  trx: Db,
  use: { experimentId: string; artifactId: string; usedAs: string | null; now: Date },
): Promise<void> {
  await trx
    .insertInto('artifact_uses')
    .values({
      experiment_id: use.experimentId,
      artifact_id: use.artifactId,
      used_as: use.usedAs,
      created_at: use.now,
    })
    .onConflict((conflict) => conflict.columns(['experiment_id', 'artifact_id']).doNothing())
    .execute()
}

/** Ids of the experiments that used a version, oldest use first. */
export async function listUsers(db: Db, artifactId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('artifact_uses')
    .select('experiment_id')
    .where('artifact_id', '=', artifactId)
    .orderBy('created_at')
    .limit(1000)
    .execute()
  return rows.map((row) => row.experiment_id)
}
