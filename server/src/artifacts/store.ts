/** The SQL of versions. Rows become the shapes of `artifact.ts` and `manifest.ts` here and nowhere else. */
import { type ArtifactState, type DigestAlgorithm, type StoredArtifact, versionName } from './artifact.ts'
import { type Filter, type Order, orderOf, versionFields, whereOf } from './filters.ts'
import { type Kysely, type RawBuilder, sql } from 'kysely'
import { type Database } from '../stores/postgres/schema.ts'

export type Db = Kysely<Database>

/** Versions with all that stands above them. */
export function artifactQuery(db: Db) {
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
      'c.tags as c_tags',
      'c.created_at as c_created_at',
      'c.updated_at as c_updated_at',
      'p.name as p_name',
      'p.number as p_number',
      'p.visibility as p_visibility',
      'p.created_by as p_created_by',
      't.id as t_id',
      't.slug as t_slug',
      't.kind as t_kind',
      't.artifact_ttl_seconds as t_ttl_seconds',
      'u.username as u_username',
      'u.name as u_name',
      sql<string[]>`coalesce(${eb
        .selectFrom('artifact_aliases as al')
        .select(sql<string[]>`array_agg(al.alias order by al.alias)`.as('aliases'))
        .whereRef('al.artifact_id', '=', 'a.id')
        .whereRef('al.collection_id', '=', 'a.collection_id')}, '{}')`.as('aliases'),
      eb
        .selectFrom('artifact_links as l')
        .select((e) => e.fn.countAll<number>().as('n'))
        .whereRef('l.artifact_id', '=', 'a.id')
        .as('link_count'),
    ])
}

type ArtifactRow = Awaited<ReturnType<ReturnType<typeof artifactQuery>['execute']>>[number]

export function artifactOf(row: ArtifactRow): StoredArtifact {
  return {
    teamId: row.t_id,
    ownerId: row.created_by,
    createdById: row.via_user_id,
    ...(row.experiment_id === null ? {} : { experimentId: row.experiment_id }),
    visibility: row.p_visibility,
    keptById: row.p_created_by,
    kind: 'artifact',
    label: versionName(row.c_name, row.version_index),
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
      inRegistry: row.t_kind === 'organisation',
      description: row.c_description,
      tags: row.c_tags,
      createdAt: row.c_created_at,
      updatedAt: row.c_updated_at,
    },
    state: row.state as ArtifactState,
    versionIndex: row.version_index,
    digest: row.digest,
    digestAlgorithm: row.digest_algorithm,
    contentDigest: row.content_digest,
    manifestKey: row.manifest_key,
    description: row.description,
    metadata: row.metadata,
    tags: row.tags,
    wantedAliases: row.wanted_aliases,
    aliases: row.aliases,
    linkCount: row.link_count ?? 0,
    ttlSeconds: row.ttl_seconds,
    teamTtlSeconds: row.t_ttl_seconds,
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

/** In no order. */
export async function findArtifacts(db: Db, ids: string[]): Promise<StoredArtifact[]> {
  if (ids.length === 0) return []
  return (await artifactQuery(db).where('a.id', 'in', ids).execute()).map(artifactOf)
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

export type VersionPage = { offset?: number; limit: number; filter?: Filter; order?: Order }

/** Committed versions, newest first unless told. */
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
  if (page.filter) query = query.where(whereOf(page.filter, versionFields))
  const { total } = await query
    .clearSelect()
    .select((eb) => eb.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  const rows = await query
    .orderBy(page.order ? orderOf(page.order, versionFields) : sql`a.id desc`)
    .orderBy('a.id', 'desc')
    .offset(page.offset ?? 0)
    .limit(page.limit)
    .execute()
  return { artifacts: rows.map(artifactOf), total }
}

export type NamedByClient = { projectId: string; collectionId: string; artifactId: string | null }

export async function insertArtifact(
  trx: Db,
  row: {
    id: string
    collectionId: string
    digest: string
    digestAlgorithm: DigestAlgorithm
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
      digest_algorithm: row.digestAlgorithm,
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
      touched_at: row.createdAt,
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

/** Notes a sign of those who save a version, so that it is not taken for abandoned. */
export async function touch(trx: Db, ids: string[], now: Date): Promise<void> {
  if (ids.length === 0) return
  // A large version is sent in many calls; one write a minute is enough.
  const before = new Date(now.getTime() - 60_000)
  await trx
    .updateTable('artifacts')
    .set({ touched_at: now })
    .where('id', 'in', ids)
    .where('state', '=', 'pending')
    .where('touched_at', '<', before)
    .execute()
}

export async function lockArtifact(trx: Db, id: string): Promise<{ state: ArtifactState } | undefined> {
  return await trx.selectFrom('artifacts').select('state').where('id', '=', id).forUpdate().executeTakeFirst()
}

export async function changeArtifact(
  trx: Db,
  id: string,
  change: { description?: string; metadata?: string; ttlSeconds?: number | null; tags?: string[] },
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

/** How many experiments used each version. */
export async function countUsers(db: Db, artifactIds: string[]): Promise<Map<string, number>> {
  if (artifactIds.length === 0) return new Map()
  const rows = await db
    .selectFrom('artifact_uses')
    .select((eb) => ['artifact_id', eb.fn.countAll<number>().as('n')])
    .where('artifact_id', 'in', artifactIds)
    .groupBy('artifact_id')
    .execute()
  return new Map(rows.map((row) => [row.artifact_id, row.n]))
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

/** Every version of a collection that is still there, whatever its state; locked until the transaction ends. */
export async function lockVersions(trx: Db, collectionId: string): Promise<string[]> {
  const rows = await trx
    .selectFrom('artifacts')
    .select('id')
    .where('collection_id', '=', collectionId)
    .where('state', '!=', 'deleted')
    .orderBy('id')
    .forUpdate()
    .execute()
  return rows.map((row) => row.id)
}

/**
 * Takes away all that versions have but their rows, which stay as marks: who used them can still be told. Content is
 * cleared by the caller.
 */
export async function bury(trx: Db, ids: string[]): Promise<{ keys: string[] }> {
  const manifests = await trx
    .deleteFrom('artifact_manifests')
    .where('artifact_id', 'in', ids)
    .returning('blob_key')
    .execute()
  const waiting = await trx
    .selectFrom('artifact_upload_parts as p')
    .innerJoin('artifact_uploads as u', 'u.id', 'p.upload_id')
    .select('p.waiting_key')
    .where('u.artifact_id', 'in', ids)
    .execute()
  const whole = await trx.selectFrom('artifacts').select('manifest_key').where('id', 'in', ids).execute()
  const uploads = await trx
    .deleteFrom('artifact_uploads')
    .where('artifact_id', 'in', ids)
    .returning('blob_key')
    .execute()
  await trx.deleteFrom('artifact_entries').where('artifact_id', 'in', ids).execute()
  await trx.deleteFrom('artifact_claims').where('artifact_id', 'in', ids).execute()
  await trx.deleteFrom('artifact_aliases').where('artifact_id', 'in', ids).execute()
  await trx.deleteFrom('artifact_links').where('artifact_id', 'in', ids).execute()
  await trx.deleteFrom('artifact_client_ids').where('artifact_id', 'in', ids).execute()
  await trx
    .updateTable('artifacts')
    .set({ state: 'deleted', manifest_key: null, size_bytes: 0, file_count: 0 })
    .where('id', 'in', ids)
    .execute()
  const keys = [
    ...manifests.map((row) => row.blob_key),
    ...uploads.map((row) => row.blob_key),
    ...waiting.map((row) => row.waiting_key),
    ...whole.map((row) => row.manifest_key),
  ]
  return { keys: keys.filter((key) => key !== null) }
}
