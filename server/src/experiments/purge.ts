/**
 * Takes away what deleted experiments leave behind. Deleting hides an experiment at once and frees most of its space; a
 * message or an upload that was under way in that moment may still put something down, so it is cleared once more some
 * minutes later, and only then the last row goes.
 */
import { sql } from 'kysely'
import type { Parts } from './deps.ts'
import type { Db } from './store.ts'

const afterSeconds = 600
const batchSize = 100

export function createPurge({
  db,
  metrics,
  blobs,
  clock,
}: Pick<Parts, 'db' | 'metrics' | 'blobs' | 'clock'>) {
  /** Deleted projects took their experiments' rows with them; known only to this process. */
  const projects = new Map<string, string[]>()

  /** Remembers what a project that is being deleted leaves; runs inside the deleting transaction. */
  async function noteProject(trx: Db, projectId: string): Promise<void> {
    const rows = await trx
      .selectFrom('experiments')
      .select('id')
      .where('project_id', '=', projectId)
      .execute()
    projects.set(
      projectId,
      rows.map((row) => row.id),
    )
  }

  async function purge(): Promise<void> {
    const before = new Date(clock.now().getTime() - afterSeconds * 1000)
    const { rows } = await sql<{ id: string; project_id: string }>`
      select id, project_id from experiments where deleted_at < ${before} limit ${batchSize}`.execute(db)
    if (rows.length > 0) {
      const ids = rows.map((row) => row.id)
      await metrics.forget(ids)
      const former = await db
        .selectFrom('experiment_addresses')
        .select(['experiment_id as id', 'project_id'])
        .where('experiment_id', 'in', ids)
        .execute()
      for (const { id, project_id } of [...rows, ...former]) await removeBlobs(`files/${project_id}/${id}/`)
      await db.deleteFrom('experiments').where('id', 'in', ids).execute()
    }
    for (const [projectId, ids] of projects) {
      const kept = await db.selectFrom('projects').select('id').where('id', '=', projectId).executeTakeFirst()
      if (!kept) {
        for (let start = 0; start < ids.length; start += batchSize)
          await metrics.forget(ids.slice(start, start + batchSize))
        await removeBlobs(`files/${projectId}/`, keepMoved)
      }
      projects.delete(projectId)
    }
  }

  async function removeBlobs(
    prefix: string,
    keep: (keys: string[]) => Promise<string[]> = async () => [],
  ): Promise<void> {
    let keys: string[] = []
    const removeSome = async () => {
      const kept = new Set(await keep(keys))
      await blobs.remove(keys.filter((key) => !kept.has(key)))
      keys = []
    }
    for await (const { key } of blobs.list(prefix)) {
      keys.push(key)
      if (keys.length >= 1000) await removeSome()
    }
    if (keys.length > 0) await removeSome()
  }

  /** Files of experiments that moved away from a deleted project still lie under its name. */
  async function keepMoved(keys: string[]): Promise<string[]> {
    const experimentOf = (key: string) => key.split('/')[2] ?? ''
    const there = await db
      .selectFrom('experiments')
      .select('id')
      .where('id', 'in', [...new Set(keys.map(experimentOf))])
      .where('deleted_at', 'is', null)
      .execute()
    const ids = new Set(there.map(({ id }) => id))
    return keys.filter((key) => ids.has(experimentOf(key)))
  }

  return { purge, noteProject }
}
