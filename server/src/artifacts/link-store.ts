/** The SQL of where a version is: in its own collection, and in those that link to it. */
import {
  type Membership,
  ownMembership,
  type StoredArtifact,
  type StoredCollection,
  type VersionRef,
} from './artifact.ts'
import { collectionFields, type Filter, linkFields, type Order, orderOf, whereOf } from './filters.ts'
import { sql } from 'kysely'
import { type Db, artifactQuery, artifactOf, findArtifacts } from './store.ts'
import { noId, collectionQuery } from './collection-store.ts'

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
