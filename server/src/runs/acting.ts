/** What people do to runs: stop, archive, delete. */
import type { RunDetails } from '@teamgrid/api'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import type { Reading } from './reading.ts'
import type { RunsDeps } from './service.ts'
import { experimentsOfRun, findRun, type StoredRun } from './store.ts'

export function createActing(
  { db, access, experiments, compute, events, clock }: RunsDeps,
  reading: Reading,
) {
  /** Every experiment of it that has not ended. What was logged and saved stays. */
  async function stop(actor: Actor, team: string, name: string): Promise<RunDetails> {
    const run = await access.allowed(actor, 'run:stop', findRun(db, team, name))
    for (const experiment of await liveOnes(run))
      await experiments.stop(actor, {
        team: experiment.teamSlug,
        project: experiment.projectName,
        slug: experiment.slug,
      })
    const ids = (await experimentsOfRun(db, run.id)).map((row) => row.experimentId)
    await db.transaction().execute(async (trx) => {
      await compute.requestStop(trx, ids)
      await record(trx, actor, 'run:stop', subjectOf(run))
    })
    compute.wake()
    return await reading.get(actor, team, name)
  }

  async function archive(actor: Actor, team: string, name: string, archived: boolean): Promise<RunDetails> {
    const run = await access.allowed(actor, 'run:archive', findRun(db, team, name))
    await db.transaction().execute(async (trx) => {
      await trx
        .updateTable('runs')
        .set({ archived_at: archived ? clock.now() : null })
        .where('id', '=', run.id)
        .execute()
      await record(trx, actor, archived ? 'run:archive' : 'run:unarchive', subjectOf(run))
    })
    tellChanged(run)
    return await reading.get(actor, team, name)
  }

  /** With its experiments, which are stopped first where they run. */
  async function remove(actor: Actor, team: string, name: string): Promise<void> {
    const run = await access.allowed(actor, 'run:delete', findRun(db, team, name))
    const rows = await experimentsOfRun(db, run.id)
    const there = await experiments.inRun.loadAll(rows.map((row) => row.experimentId))
    // Each is proven by itself: one that was moved here is its creator's.
    for (const experiment of there.values())
      await experiments.delete(actor, {
        team: experiment.teamSlug,
        project: experiment.projectName,
        slug: experiment.slug,
      })
    await db.transaction().execute(async (trx) => {
      await compute.requestStop(
        trx,
        rows.map((row) => row.experimentId),
      )
      await trx.updateTable('runs').set({ deleted_at: clock.now() }).where('id', '=', run.id).execute()
      await record(trx, actor, 'run:delete', subjectOf(run))
    })
    compute.wake()
    tellChanged(run)
  }

  async function liveOnes(run: StoredRun) {
    const ids = (await experimentsOfRun(db, run.id)).map((row) => row.experimentId)
    const found = [...(await experiments.inRun.loadAll(ids)).values()]
    return found.filter((each) => each.endedAt === null)
  }

  function tellChanged({ teamId, projectId }: StoredRun): void {
    events.publish({ type: 'project.changed', teamId, projectId })
  }

  return { stop, archive, remove }
}

function subjectOf({ teamId, id, name, projectName }: StoredRun) {
  return { teamId, kind: 'run', id, details: { name, project: projectName } }
}
