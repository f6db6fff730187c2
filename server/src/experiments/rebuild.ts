/** Makes the facts in the metric store what Postgres says, after a restored backup or a lost disk. */
import { sql } from 'kysely'
import type { Parts } from './deps.ts'
import { factsOf } from './facts.ts'
import { findExperimentById, selectExperiments } from './store.ts'

const batchSize = 200
const keysMax = 1_000_000
const idsMax = 1_000_000

export function createRebuild({ db, metrics, facts }: Pick<Parts, 'db' | 'metrics' | 'facts'>) {
  /**
   * Writes the facts of every experiment of a project, then takes away those that should not be there. Scripts may go on
   * logging meanwhile.
   * @returns how many experiments were written.
   */
  async function rebuildFacts(projectId: string): Promise<number> {
    const holders = new Map<string, number>()
    let written = 0
    let after = '00000000-0000-0000-0000-000000000000'
    for (;;) {
      const batch = await selectExperiments(
        db,
        sql`e.project_id = ${projectId} and e.id > ${after}`,
        sql`order by e.id limit ${batchSize}`,
        sql`'{}'::jsonb as config, '{}'::jsonb as summary`,
      )
      if (batch.length === 0) break
      const keys = await Promise.all(batch.map(({ id }) => writeAll(id)))
      for (const key of keys.flat()) holders.set(key, (holders.get(key) ?? 0) + 1)
      written += batch.length
      after = batch.at(-1)!.id
    }
    await removeStale(projectId, holders)
    return written
  }

  async function writeAll(id: string): Promise<string[]> {
    return await facts.inTurn(id, async () => {
      const experiment = await findExperimentById(db, id)
      if (!experiment) return { result: [], append: {} }
      const all = factsOf(experiment)
      const update = {
        projectId: experiment.projectId,
        experimentId: id,
        facts: [...all.values()],
        removedKeys: [],
      }
      return { result: [...all.keys()], append: { facts: [update] } }
    })
  }

  /** A key that more experiments have in the metric store than in Postgres is one too many somewhere. */
  async function removeStale(projectId: string, holders: Map<string, number>): Promise<void> {
    const stored = await metrics.factKeys({ projectIds: [projectId], limit: keysMax })
    const keysById = new Map<string, string[]>()
    for (const { key, experiments } of stored) {
      if (experiments <= (holders.get(key) ?? 0)) continue
      const { experimentIds } = await metrics.find({
        projectIds: [projectId],
        filter: { op: 'exists', key, exists: true },
        sort: [],
        offset: 0,
        limit: idsMax,
      })
      for (const id of experimentIds) keysById.set(id, [...(keysById.get(id) ?? []), key])
    }
    const deleted: string[] = []
    for (const [id, keys] of keysById) {
      const exists = await facts.inTurn(id, async () => {
        const experiment = await findExperimentById(db, id)
        if (!experiment) return { result: false, append: {} }
        const all = factsOf(experiment)
        const removedKeys = keys.filter((key) => !all.has(key))
        return { result: true, append: { facts: [{ projectId, experimentId: id, facts: [], removedKeys }] } }
      })
      if (!exists) deleted.push(id)
    }
    if (deleted.length > 0) await metrics.forget(deleted)
  }

  return { rebuildFacts }
}
