/** The SQL of what is deleted by itself: versions that nobody finished, and those whose time is over. */
import { sql } from 'kysely'
import type { StoredArtifact } from './artifact.ts'
import { artifactOf, artifactQuery, type Db } from './store.ts'

/** Pending versions that nobody has touched since. */
export async function listAbandoned(
  db: Db,
  since: { alone: Date; distributed: Date },
  limit: number,
): Promise<StoredArtifact[]> {
  const rows = await artifactQuery(db)
    .where('a.state', '=', 'pending')
    .where((eb) =>
      eb.or([
        eb.and([eb('a.distributed_id', 'is', null), eb('a.touched_at', '<', since.alone)]),
        eb('a.touched_at', '<', since.distributed),
      ]),
    )
    .orderBy('a.touched_at')
    .limit(limit)
    .execute()
  return rows.map(artifactOf)
}

/** Committed versions whose time is over. What a registry links to is kept. */
export async function listExpired(db: Db, now: Date, limit: number): Promise<StoredArtifact[]> {
  const own = await expirable(db)
    .where('a.ttl_seconds', '>', 0)
    .where(sql<boolean>`a.committed_at + make_interval(secs => a.ttl_seconds) <= ${now}`)
    .limit(limit)
    .execute()
  const inherited = await expirable(db)
    .where('a.ttl_seconds', 'is', null)
    .where('t.artifact_ttl_seconds', '>', 0)
    .where(sql<boolean>`a.committed_at + make_interval(secs => t.artifact_ttl_seconds) <= ${now}`)
    .limit(limit)
    .execute()
  return [...own, ...inherited].map(artifactOf)
}

const expirable = (db: Db) =>
  artifactQuery(db)
    .where('a.state', '=', 'committed')
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('artifact_links as l')
            .innerJoin('artifact_collections as lc', 'lc.id', 'l.collection_id')
            .innerJoin('registries as r', 'r.project_id', 'lc.project_id')
            .select('l.artifact_id')
            .whereRef('l.artifact_id', '=', 'a.id'),
        ),
      ),
    )

export async function findTeamTtl(db: Db, teamId: string): Promise<number | null> {
  const row = await db
    .selectFrom('teams')
    .select('artifact_ttl_seconds')
    .where('id', '=', teamId)
    .executeTakeFirst()
  return row?.artifact_ttl_seconds ?? null
}

export async function setTeamTtl(trx: Db, teamId: string, seconds: number | null): Promise<void> {
  await trx.updateTable('teams').set({ artifact_ttl_seconds: seconds }).where('id', '=', teamId).execute()
}

/** Versions of a team that say nothing themselves, and those of them that would be over if it kept them so long. */
export async function countInheriting(
  db: Db,
  teamId: string,
  seconds: number | null,
  now: Date,
): Promise<{ inheriting: number; overNow: number }> {
  const { inheriting, overNow } = await expirable(db)
    .where('t.id', '=', teamId)
    .where('a.ttl_seconds', 'is', null)
    .clearSelect()
    .select((eb) => [
      eb.fn.countAll<number>().as('inheriting'),
      sql<number>`count(*) filter (where a.committed_at + make_interval(secs => ${seconds ?? 0}) <= ${now})`.as(
        'overNow',
      ),
    ])
    .executeTakeFirstOrThrow()
  return { inheriting, overNow: seconds === null ? 0 : overNow }
}
