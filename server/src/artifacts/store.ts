/** The SQL of artifacts. Rows become the shapes of `artifact.ts` and `manifest.ts` here and nowhere else. */
import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Database } from '../stores/postgres/schema.ts'
import {
  type ArtifactState,
  type DigestAlgorithm,
  type Membership,
  ownMembership,
  type StoredArtifact,
  type StoredCollection,
  versionName,
  type VersionRef,
} from './artifact.ts'
import {
  collectionFields,
  type Filter,
  linkFields,
  type Order,
  orderOf,
  versionFields,
  whereOf,
} from './filters.ts'

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

/** A committed version in a collection by its number or alias there. */
export async function findMembership(
  db: Db,
  collection: Pick<StoredCollection, 'id' | 'kind'>,
  version: VersionRef,
): Promise<Membership | undefined> {
  const byAlias = (alias: string) =>
    db
      .selectFrom('artifact_aliases')
      .select('artifact_id')
      .where('collection_id', '=', collection.id)
      .where('alias', '=', alias)
  if (collection.kind === 'portfolio') {
    const [found] = await linkRows(db, collection.id, (query) =>
      'index' in version
        ? query.where('l.version_index', '=', version.index)
        : query.where('l.artifact_id', '=', byAlias(version.alias)),
    )
    return found
  }
  const query = artifactQuery(db)
    .where('a.collection_id', '=', collection.id)
    .where('a.state', '=', 'committed')
  const row = await (
    'index' in version
      ? query.where('a.version_index', '=', version.index)
      : query.where('a.id', '=', byAlias(version.alias))
  ).executeTakeFirst()
  return row && ownMembership(artifactOf(row))
}

const linkQuery = (db: Db) =>
  db
    .selectFrom('artifact_links as l')
    .innerJoin('artifacts as a', 'a.id', 'l.artifact_id')
    .select((eb) => [
      'l.artifact_id',
      'l.collection_id',
      'l.version_index',
      'l.created_at',
      sql<string[]>`coalesce(${eb
        .selectFrom('artifact_aliases as al')
        .select(sql<string[]>`array_agg(al.alias order by al.alias)`.as('aliases'))
        .whereRef('al.artifact_id', '=', 'l.artifact_id')
        .whereRef('al.collection_id', '=', 'l.collection_id')}, '{}')`.as('aliases'),
    ])
    .where('a.state', '=', 'committed')

type LinkQuery = ReturnType<typeof linkQuery>

/** Versions in a collection of links, the newest link first. */
export async function linkRows(
  db: Db,
  collectionId: string,
  narrow: (query: LinkQuery) => LinkQuery = (query) => query,
): Promise<Membership[]> {
  const rows = await narrow(linkQuery(db).where('l.collection_id', '=', collectionId))
    .orderBy('l.version_index', 'desc')
    .execute()
  return await membershipsOf(db, rows)
}

/** Everywhere a version is: in its own collection, then where it is linked to. */
export async function listMemberships(db: Db, artifact: StoredArtifact): Promise<Membership[]> {
  const own = ownMembership(artifact)
  if (artifact.linkCount === 0) return [own]
  const rows = await linkQuery(db)
    .where('l.artifact_id', '=', artifact.id)
    .orderBy('l.created_at')
    .limit(1000)
    .execute()
  return [own, ...(await membershipsOf(db, rows))]
}

type LinkRow = Awaited<ReturnType<LinkQuery['execute']>>[number]

async function membershipsOf(db: Db, rows: LinkRow[]): Promise<Membership[]> {
  const collectionIds = [...new Set(rows.map((row) => row.collection_id))]
  const collections = new Map(
    (
      await collectionQuery(db)
        .where('c.id', 'in', [noId, ...collectionIds])
        .execute()
    ).map((collection) => [collection.id, collection]),
  )
  const artifacts = new Map(
    (await findArtifacts(db, [...new Set(rows.map((row) => row.artifact_id))])).map((artifact) => [
      artifact.id,
      artifact,
    ]),
  )
  return rows.flatMap((row) => {
    const artifact = artifacts.get(row.artifact_id)
    const collection = collections.get(row.collection_id)
    if (!artifact || !collection) return []
    return [
      {
        artifact,
        collection,
        versionIndex: row.version_index,
        aliases: row.aliases,
        createdAt: row.created_at,
      },
    ]
  })
}

/** No row has it; an empty list is no SQL. */
const noId = '00000000-0000-0000-0000-000000000000'

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

export type LinkPage = {
  offset: number
  limit: number
  versions?: Filter
  collections?: Filter
  order?: Order
}

/** Links of some projects or of one collection, the newest first unless told. */
export async function listLinks(
  db: Db,
  where: { projectIds: string[] } | { collectionId: string },
  page: LinkPage,
): Promise<{ memberships: Membership[]; total: number }> {
  let query = db
    .selectFrom('artifact_links as l')
    .innerJoin('artifacts as a', 'a.id', 'l.artifact_id')
    .innerJoin('artifact_collections as c', 'c.id', 'l.collection_id')
    .where('a.state', '=', 'committed')
  query =
    'collectionId' in where
      ? query.where('l.collection_id', '=', where.collectionId)
      : query.where('c.project_id', 'in', [noId, ...where.projectIds])
  if (page.versions) query = query.where(whereOf(page.versions, linkFields))
  if (page.collections) query = query.where(whereOf(page.collections, collectionFields))
  const { total } = await query.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  const found = await query
    .select((eb) => [
      'l.artifact_id',
      'l.collection_id',
      'l.version_index',
      'l.created_at',
      sql<string[]>`coalesce(${eb
        .selectFrom('artifact_aliases as al')
        .select(sql<string[]>`array_agg(al.alias order by al.alias)`.as('aliases'))
        .whereRef('al.artifact_id', '=', 'l.artifact_id')
        .whereRef('al.collection_id', '=', 'l.collection_id')}, '{}')`.as('aliases'),
    ])
    .orderBy(page.order ? orderOf(page.order, linkFields) : sql`l.created_at desc`)
    .orderBy('l.artifact_id')
    .offset(page.offset)
    .limit(page.limit)
    .execute()
  return { memberships: await membershipsOf(db, found), total }
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
      sql<boolean>`t.kind = 'organisation'`.as('inRegistry'),
      'c.description',
      'c.tags',
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

export type CollectionPage = {
  type?: string
  kinds?: StoredCollection['kind'][]
  filter?: Filter
  order?: Order
  offset?: number
  limit?: number
}

/** By name unless told. */
export function listCollections(
  db: Db,
  projectIds: string[],
  page: CollectionPage = {},
): Promise<StoredCollection[]> {
  let query = collectionQuery(db).where('c.project_id', 'in', [noId, ...projectIds])
  if (page.type !== undefined) query = query.where('c.type', '=', page.type)
  if (page.kinds !== undefined) query = query.where('c.kind', 'in', page.kinds)
  if (page.filter) query = query.where(whereOf(page.filter, collectionFields))
  if (page.order) query = query.orderBy(orderOf(page.order, collectionFields))
  query = query.orderBy('c.name').orderBy('c.id')
  if (page.offset !== undefined) query = query.offset(page.offset)
  if (page.limit !== undefined) query = query.limit(page.limit)
  return query.execute()
}

/** Makes the collection if it is missing, and locks it until the transaction ends: versions are numbered under it. */
export async function lockCollection(
  trx: Db,
  collection: {
    id: string
    projectId: string
    name: string
    type: string
    kind?: StoredCollection['kind']
  },
  now: Date,
): Promise<StoredCollection> {
  const wanted = {
    id: collection.id,
    project_id: collection.projectId,
    name: collection.name,
    type: collection.type,
    kind: collection.kind ?? ('sequence' as const),
    description: null,
    created_at: now,
    updated_at: now,
  }
  for (;;) {
    await trx
      .insertInto('artifact_collections')
      .values(wanted)
      .onConflict((conflict) => conflict.columns(['project_id', 'name']).doNothing())
      .execute()
    const locked = await collectionQuery(trx)
      .where('c.project_id', '=', collection.projectId)
      .where('c.name', '=', collection.name)
      .forUpdate('c')
      .executeTakeFirst()
    // Gone when it was deleted while we waited for the lock; then it is made anew.
    if (locked) return locked
  }
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

/** Puts a version into a collection of links, which the caller has locked. @returns its number there, new or known. */
export async function insertLink(
  trx: Db,
  link: { collectionId: string; artifactId: string; linkedBy: string | null; now: Date },
): Promise<number> {
  const known = await trx
    .selectFrom('artifact_links')
    .select('version_index')
    .where('collection_id', '=', link.collectionId)
    .where('artifact_id', '=', link.artifactId)
    .executeTakeFirst()
  if (known) return known.version_index
  const { versions_made } = await trx
    .updateTable('artifact_collections')
    .set((eb) => ({ versions_made: eb('versions_made', '+', 1), updated_at: link.now }))
    .where('id', '=', link.collectionId)
    .returning('versions_made')
    .executeTakeFirstOrThrow()
  await trx
    .insertInto('artifact_links')
    .values({
      collection_id: link.collectionId,
      artifact_id: link.artifactId,
      version_index: versions_made - 1,
      linked_by: link.linkedBy,
      created_at: link.now,
    })
    .execute()
  return versions_made - 1
}

/** With the aliases that the version has there. @returns false when there was no such link. */
export async function deleteLink(trx: Db, collectionId: string, artifactId: string): Promise<boolean> {
  await trx
    .deleteFrom('artifact_aliases')
    .where('collection_id', '=', collectionId)
    .where('artifact_id', '=', artifactId)
    .execute()
  const { numDeletedRows } = await trx
    .deleteFrom('artifact_links')
    .where('collection_id', '=', collectionId)
    .where('artifact_id', '=', artifactId)
    .executeTakeFirst()
  return numDeletedRows > 0n
}

export async function changeCollection(
  trx: Db,
  id: string,
  change: { name?: string; description?: string | null; type?: string; tags?: string[] },
  now: Date,
): Promise<void> {
  await trx
    .updateTable('artifact_collections')
    .set({ ...change, updated_at: now })
    .where('id', '=', id)
    .execute()
}

export async function deleteCollection(trx: Db, id: string): Promise<void> {
  await trx.deleteFrom('artifact_collections').where('id', '=', id).execute()
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

/** Projects whose versions a collection of links leads to. */
export async function projectsLinkedIn(db: Db, collectionId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('artifact_links as l')
    .innerJoin('artifacts as a', 'a.id', 'l.artifact_id')
    .innerJoin('artifact_collections as c', 'c.id', 'a.collection_id')
    .select('c.project_id')
    .distinct()
    .where('l.collection_id', '=', collectionId)
    .execute()
  return rows.map((row) => row.project_id)
}

export type VersionCount = {
  versions: number
  sizeBytes: number
  newest: { versionIndex: number; createdAt: Date; username: string; name: string }
}

/** Committed versions of collections, by id; links of collections of links. One without any is left out. */
export async function countVersions(db: Db, collectionIds: string[]): Promise<Map<string, VersionCount>> {
  if (collectionIds.length === 0) return new Map()
  const { rows } = await sql<{
    collection_id: string
    versions: number
    size_bytes: number
    version_index: number
    created_at: Date
    username: string
    name: string
  }>`
    with members as (
      select collection_id, id, version_index, size_bytes, committed_at as at, created_by
        from artifacts where collection_id = any(${collectionIds}::uuid[]) and state = 'committed'
      union all
      select l.collection_id, a.id, l.version_index, a.size_bytes, l.created_at, a.created_by
        from artifact_links l join artifacts a on a.id = l.artifact_id
        where l.collection_id = any(${collectionIds}::uuid[]) and a.state = 'committed'
    ), counted as (
      select *, count(*) over (partition by collection_id) as n,
        sum(size_bytes) over (partition by collection_id) as bytes,
        row_number() over (partition by collection_id order by version_index desc) as place
      from members
    )
    select collection_id, n::bigint as versions, bytes::bigint as size_bytes, version_index, at as created_at,
      u.username, u.name
    from counted join users u on u.id = created_by where place = 1`.execute(db)
  return new Map(
    rows.map((row) => [
      row.collection_id,
      {
        versions: row.versions,
        sizeBytes: row.size_bytes,
        newest: {
          versionIndex: row.version_index,
          createdAt: row.created_at,
          username: row.username,
          name: row.name,
        },
      },
    ]),
  )
}

/** Collections of links that lead to versions of a collection, and whether they lead to others as well. */
export async function collectionsLinking(
  trx: Db,
  collectionId: string,
): Promise<{ id: string; name: string; hasOthers: boolean }[]> {
  const { rows } = await sql<{ id: string; name: string; hasOthers: boolean }>`
    select c.id, c.name, bool_or(a.collection_id <> ${collectionId}::uuid) as "hasOthers"
    from artifact_links l
      join artifacts a on a.id = l.artifact_id
      join artifact_collections c on c.id = l.collection_id
    where c.id in (
      select ll.collection_id from artifact_links ll
        join artifacts aa on aa.id = ll.artifact_id where aa.collection_id = ${collectionId}::uuid)
    group by c.id, c.name`.execute(trx)
  return rows
}
