/** Gives the experiments of somebody who left to somebody else. */
import type { Parts } from './deps.ts'
import { builtInFacts } from './facts.ts'
import { type Db, findExperimentById } from './store.ts'

/** Facts of so many are written at once; each waits for its turn among the lines that its script may still send. */
const batchSize = 50

/**
 * @returns what `teams.onReassign` takes: changes the rows inside the transaction it is given, and the creator among the
 *   facts after its commit.
 */
export function createReassigning({ db, facts, events }: Pick<Parts, 'db' | 'facts' | 'events'>) {
  return async (trx: Db, { teamId, fromId, toId }: { teamId: string; fromId: string; toId: string }) => {
    const changed = await trx
      .updateTable('experiments')
      .set({ created_by: toId })
      .where('team_id', '=', teamId)
      .where('created_by', '=', fromId)
      .returning(['id', 'project_id as projectId'])
      .execute()
    const afterwards = async () => {
      for (let at = 0; at < changed.length; at += batchSize)
        await Promise.all(changed.slice(at, at + batchSize).map(({ id }) => writeCreator(id)))
      for (const projectId of new Set(changed.map((each) => each.projectId)))
        events.publish({ type: 'project.changed', teamId, projectId })
    }
    return { experiments: changed.length, afterwards }
  }

  async function writeCreator(id: string): Promise<void> {
    await facts.inTurn(id, async () => {
      const experiment = await findExperimentById(db, id)
      if (!experiment) return { result: undefined, append: {} }
      const creator = builtInFacts(experiment).get('creator')
      const update = await facts.updateOf(experiment, () => ({
        facts: creator ? [creator] : [],
        removedKeys: [],
      }))
      return { result: undefined, append: { facts: update } }
    })
  }
}
