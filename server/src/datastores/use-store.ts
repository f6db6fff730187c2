/** The SQL of who uses which version. */
import type { Db } from './store.ts'

export type UseKind = 'run' | 'experiment' | 'session'

export type StoredUse = {
  id: string
  versionId: string
  number: number
  datastoreId: string
  kind: UseKind
  usedById: string
  label: string
  teamId: string
  teamSlug: string
  ownerId: string
  username: string
  name: string
  isPrivate: boolean
  startedAt: Date
  endedAt: Date | null
}

const useQuery = (db: Db) =>
  db
    .selectFrom('datastore_uses as use')
    .innerJoin('datastore_versions as v', 'v.id', 'use.version_id')
    .innerJoin('teams as t', 't.id', 'use.team_id')
    .innerJoin('users as u', 'u.id', 'use.owner_id')
    .select([
      'use.id',
      'use.version_id as versionId',
      'v.number',
      'v.datastore_id as datastoreId',
      'use.kind',
      'use.used_by_id as usedById',
      'use.label',
      'use.team_id as teamId',
      't.slug as teamSlug',
      'use.owner_id as ownerId',
      'u.username',
      'u.name',
      'use.is_private as isPrivate',
      'use.started_at as startedAt',
      'use.ended_at as endedAt',
    ])

/** Newest first. */
export function listUses(db: Db, datastoreId: string, limit: number): Promise<StoredUse[]> {
  return useQuery(db)
    .where('v.datastore_id', '=', datastoreId)
    .orderBy('use.id', 'desc')
    .limit(limit)
    .execute()
}

/** Those that have not ended. */
export function liveUses(db: Db, versionId: string): Promise<StoredUse[]> {
  return useQuery(db)
    .where('use.version_id', '=', versionId)
    .where('use.ended_at', 'is', null)
    .orderBy('use.id')
    .execute()
}

export function listUsesBy(db: Db, kind: UseKind, usedById: string): Promise<StoredUse[]> {
  return useQuery(db)
    .where('use.kind', '=', kind)
    .where('use.used_by_id', '=', usedById)
    .orderBy('use.id')
    .execute()
}

/**
 * Locks a version so that it is not deleted before the transaction ends.
 * @returns whether it is there and not in the trash.
 */
export async function lockVersion(trx: Db, versionId: string, how: 'share' | 'update'): Promise<boolean> {
  const query = trx
    .selectFrom('datastore_versions')
    .select('id')
    .where('id', '=', versionId)
    .where('deleted_at', 'is', null)
  const row = await (how === 'share' ? query.forShare() : query.forUpdate()).executeTakeFirst()
  return row !== undefined
}

/** One that had ended begins again. */
export async function insertUse(
  trx: Db,
  use: {
    id: string
    versionId: string
    kind: UseKind
    usedById: string
    label: string
    teamId: string
    ownerId: string
    isPrivate: boolean
    startedAt: Date
  },
): Promise<void> {
  await trx
    .insertInto('datastore_uses')
    .values({
      id: use.id,
      version_id: use.versionId,
      kind: use.kind,
      used_by_id: use.usedById,
      label: use.label,
      team_id: use.teamId,
      owner_id: use.ownerId,
      is_private: use.isPrivate,
      started_at: use.startedAt,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['version_id', 'kind', 'used_by_id'])
        .doUpdateSet({ ended_at: null, label: use.label, is_private: use.isPrivate }),
    )
    .execute()
}

/** @returns the datastores that it used, with their teams. */
export async function endUses(
  trx: Db,
  kind: UseKind,
  usedById: string,
  now: Date,
): Promise<{ teamId: string; datastoreId: string }[]> {
  const ended = await trx
    .updateTable('datastore_uses')
    .set({ ended_at: now })
    .where('kind', '=', kind)
    .where('used_by_id', '=', usedById)
    .where('ended_at', 'is', null)
    .returning('version_id')
    .execute()
  if (ended.length === 0) return []
  return await trx
    .selectFrom('datastore_versions as v')
    .innerJoin('datastores as d', 'd.id', 'v.datastore_id')
    .select(['d.id as datastoreId', 'd.team_id as teamId'])
    .distinct()
    .where(
      'v.id',
      'in',
      ended.map((row) => row.version_id),
    )
    .execute()
}
