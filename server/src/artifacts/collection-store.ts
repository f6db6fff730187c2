/** The SQL of collections: their versions counted, their aliases, the names that clients gave them. */
import { type StoredCollection } from './artifact.ts'
import { collectionFields, type Filter, type Order, orderOf, whereOf } from './filters.ts'
import { sql } from 'kysely'
import { type Db, type NamedByClient } from './store.ts'

/** No row has it; an empty list is no SQL. */
export const noId = '00000000-0000-0000-0000-000000000000'

export const collectionQuery = (db: Db) =>
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

export async function listAliases(db: Db, collectionId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('artifact_aliases')
    .select('alias')
    .where('collection_id', '=', collectionId)
    .orderBy('alias')
    .execute()
  return rows.map((row) => row.alias)
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
