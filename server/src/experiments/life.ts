/** What people and time do to experiments: stop, rename, delete, report an alert, notice that a script died. */
import { GridError, type Alert } from '@teamgrid/api'
import { sql } from 'kysely'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import { storableText } from '../lib/tolerant-json.ts'
import type { Parts } from './deps.ts'
import { crashedAfterSeconds, experimentOf, isEnded, subjectOf } from './experiment.ts'
import { builtInFacts, changedFacts } from './facts.ts'
import {
  type Db,
  findExperimentById,
  findRemovedExperiment,
  findSlimExperiment,
  lockExperiment,
  selectExperiments,
  updateExperiment,
  withoutContent,
} from './store.ts'
import { withDatabase } from './trouble.ts'
import type { ExperimentRef, StoredExperiment } from './types.ts'

const alertTitleMax = 1000
const alertTextMax = 100_000
/** How many silent experiments one step of the loop takes. */
const sweepMax = 1000

export type NewAlert = { title: string; text: string; level: Alert['level']; waitSeconds: number }

export function createLife(
  parts: Parts & { purge: () => Promise<void>; finishMoves: () => Promise<number> },
) {
  const { db, access, metrics, blobs, events, clock, facts, news, purge, finishMoves } = parts
  const startedAt = clock.now()
  /** Asks the script to stop; it hears it with its next sign of life. Asking twice, or after the end, is fine. */
  async function requestStop(actor: Actor, id: string): Promise<void> {
    await stopFound(actor, await access.allowed(actor, 'experiment:stop', findExperimentById(db, id)))
  }

  async function stop(actor: Actor, ref: ExperimentRef) {
    const experiment = await access.allowed(actor, 'experiment:stop', findSlimExperiment(db, ref))
    await stopFound(actor, experiment)
    return experimentOf((await findSlimExperiment(db, ref)) ?? gone())
  }

  async function stopFound(actor: Actor, experiment: StoredExperiment): Promise<void> {
    if (isEnded(experiment.state) || experiment.stopRequested) return
    await db.transaction().execute(async (trx) => {
      await trx
        .updateTable('experiments')
        .set({ stop_requested_at: clock.now(), stop_requested_by: actor.userId })
        .where('id', '=', experiment.id)
        .where('stop_requested_at', 'is', null)
        .execute()
      await record(trx, actor, 'experiment:stop', subjectOf(experiment))
      await news.acted(trx, actor, experiment, 'stopped')
    })
    news.committed()
    tellChanged(experiment)
  }

  /** Changes what people write about an experiment. Its name is its owner's; notes and tags may be the team's. */
  async function change(
    actor: Actor,
    ref: ExperimentRef,
    input: { name?: string; notes?: string; tags?: string[] },
  ): Promise<StoredExperiment> {
    const { id } = await access.allowed(
      actor,
      input.name === undefined ? 'experiment:annotate' : 'experiment:edit',
      findSlimExperiment(db, ref),
    )
    const changed = await facts.inTurn(id, async () => {
      const { before, after } = await db.transaction().execute(async (trx) => {
        const before = (await lockExperiment(trx, id)) ?? gone()
        await updateExperiment(trx, id, input, clock.now())
        await record(trx, actor, 'experiment:edit', {
          ...subjectOf(before),
          details: {
            slug: before.slug,
            ...input,
            before: Object.fromEntries(
              Object.keys(input).map((key) => [key, before[key as 'name' | 'notes' | 'tags']]),
            ),
          },
        })
        await news.acted(trx, actor, before, 'edited')
        return { before, after: (await findExperimentById(trx, id)) ?? gone() }
      })
      const update = await facts.updateOf(after, () =>
        changedFacts(builtInFacts(before), builtInFacts(after)),
      )
      return { result: after, append: { facts: update } }
    })
    news.committed()
    tellChanged(changed)
    return changed
  }

  /** Deletes an experiment with its metrics, console and files. */
  async function remove(actor: Actor, id: string): Promise<void> {
    await removeFound(actor, await deletable(actor, findExperimentById(db, id)))
  }

  /** Whether there was one that the actor could have deleted, so that deleting it again is no trouble. */
  async function wasRemoved(actor: Actor, id: string): Promise<boolean> {
    const gone = await findRemovedExperiment(db, id)
    return gone !== undefined && (await access.permits(actor, 'experiment:delete', gone))
  }

  /** @throws GridError as `remove` would. */
  async function proveRemovable(actor: Actor, id: string): Promise<void> {
    await deletable(actor, findExperimentById(db, id))
  }

  async function removeNamed(actor: Actor, ref: ExperimentRef): Promise<void> {
    await removeFound(actor, await deletable(actor, findSlimExperiment(db, ref)))
  }

  /** One that was moved in is nobody's to delete but its creator's and the admins', whatever members may otherwise. */
  async function deletable(actor: Actor, found: Promise<StoredExperiment | undefined>) {
    const experiment = await found
    const action = experiment?.moved ? 'experiment:delete-moved' : 'experiment:delete'
    return await access.allowed(actor, action, experiment)
  }

  async function removeFound(actor: Actor, experiment: StoredExperiment): Promise<void> {
    const { id } = experiment
    const blobKeys = await db.transaction().execute(async (trx) => {
      await trx.updateTable('experiments').set({ deleted_at: clock.now() }).where('id', '=', id).execute()
      const files = await trx
        .deleteFrom('files')
        .where('experiment_id', '=', id)
        .returning('blob_key')
        .execute()
      await record(trx, actor, 'experiment:delete', subjectOf(experiment))
      await news.acted(trx, actor, experiment, 'deleted')
      return files.map((file) => file.blob_key)
    })
    news.committed()
    facts.forget(id)
    tellChanged(experiment)
    await metrics.forget([id])
    await blobs.remove(blobKeys)
  }

  /** A script reports something. The same title again within `waitSeconds` is not stored. */
  async function addAlert(actor: Actor, ref: ExperimentRef, alert: NewAlert): Promise<void> {
    await withDatabase(async () => {
      const experiment = await access.allowed(actor, 'alert:create', findSlimExperiment(db, ref))
      const now = clock.now()
      const title = storableText(alert.title).slice(0, alertTitleMax)
      await db.transaction().execute(async (trx) => {
        // One at a time per experiment, or two equal ones at once would both be the first.
        await sql`select 1 from experiments where id = ${experiment.id} for update`.execute(trx)
        if (alert.waitSeconds > 0) {
          const since = new Date(now.getTime() - alert.waitSeconds * 1000)
          const recent = await trx
            .selectFrom('alerts')
            .select('id')
            .where('experiment_id', '=', experiment.id)
            .where('title', '=', title)
            .where('created_at', '>', since)
            .executeTakeFirst()
          if (recent) return
        }
        const kept = {
          id: newId(now.getTime()),
          title,
          text: storableText(alert.text).slice(0, alertTextMax),
          level: alert.level,
        }
        await trx
          .insertInto('alerts')
          .values({ ...kept, team_id: experiment.teamId, experiment_id: experiment.id, created_at: now })
          .execute()
        await news.alerted(trx, experiment, kept)
      })
      news.committed()
      tellChanged(experiment)
    })
  }

  /**
   * Notices scripts that have given no sign of life for five minutes in which this server was there: they crashed, or were preempted if they said that
   * they would be. Also writes facts that did not get through earlier, and clears what deleted ones left. One step of a
   * loop.
   * @returns how many experiments ended.
   */
  async function sweepCrashed(): Promise<number> {
    return await withDatabase(async () => {
      const now = clock.now()
      // While this server was away nobody could give a sign of life; scripts try again for a minute and more.
      const couldSpeak = startedAt < silentSince(now)
      const silent = couldSpeak ? await silentOnes(db, now) : []
      let ended = 0
      for (const { id } of silent) if (await endSilent(id)) ended++
      await facts.repair()
      await finishMoves()
      await purge()
      return ended
    })
  }

  async function endSilent(id: string): Promise<boolean> {
    const experiment = await facts.inTurn(id, async () => {
      const found = await db.transaction().execute(async (trx) => {
        const before = await lockExperiment(trx, id)
        // It may have spoken since it was found.
        if (!before || !isSilent(before, clock.now())) return undefined
        const state = before.state === 'preempting' ? ('preempted' as const) : ('crashed' as const)
        const after = { ...before, state, endedAt: before.heartbeatAt }
        await trx
          .updateTable('experiments')
          .set({ state, ended_at: after.endedAt })
          .where('id', '=', id)
          .execute()
        await news.ended(trx, after)
        return { before, after }
      })
      if (!found) return { result: undefined, append: {} }
      const { before, after } = found
      const update = await facts.updateOf(after, () =>
        changedFacts(builtInFacts(before), builtInFacts(after)),
      )
      return { result: after, append: { facts: update } }
    })
    if (experiment) {
      news.committed()
      tellChanged(experiment)
    }
    return experiment !== undefined
  }

  function tellChanged({ teamId, projectId, id }: StoredExperiment): void {
    events.publish({ type: 'experiment.changed', teamId, projectId, experimentId: id })
  }

  return {
    requestStop,
    stop,
    change,
    remove,
    proveRemovable,
    wasRemoved,
    removeNamed,
    addAlert,
    sweepCrashed,
  }
}

function silentSince(now: Date): Date {
  return new Date(now.getTime() - crashedAfterSeconds * 1000)
}

function isSilent({ state, heartbeatAt }: StoredExperiment, now: Date): boolean {
  return (state === 'running' || state === 'preempting') && heartbeatAt < silentSince(now)
}

async function silentOnes(db: Db, now: Date): Promise<StoredExperiment[]> {
  return await selectExperiments(
    db,
    sql`e.state in ('running', 'preempting') and e.heartbeat_at < ${silentSince(now)}`,
    sql`order by e.heartbeat_at limit ${sweepMax}`,
    withoutContent,
  )
}

function gone(): never {
  throw new GridError('not_found', 'This experiment was deleted.')
}
