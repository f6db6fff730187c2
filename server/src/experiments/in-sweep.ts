/**
 * What the slice of sweeps needs of experiments and nobody else does. A sweep acts for its team: its callers have proven
 * that the actor may steer the sweep or read it, so nothing here asks again.
 */
import { endedStates } from '@teamgrid/api'
import { sql } from 'kysely'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import type { Parts } from './deps.ts'
import { builtInFacts, changedFacts, plainConfig } from './facts.ts'
import {
  findExperimentById,
  lockExperiment,
  selectExperiments,
  updateExperiment,
  withoutContent,
} from './store.ts'
import type { StoredExperiment } from './types.ts'

/** Beyond so many logged values a curve is thinned. */
const courseMax = 10_000
/** Curves asked for at once. */
const curvesMax = 100

export function createInSweep({ db, metrics, facts, events, clock, access }: Parts) {
  /** The experiments of a sweep in the order of their making, at most `limit` (the newest); with `slugs` only those. */
  async function ofSweep(
    projectId: string,
    sweepSlug: string,
    limit: number,
    content: 'whole' | 'slim' = 'whole',
    slugs?: readonly string[],
  ): Promise<StoredExperiment[]> {
    const found = await selectExperiments(
      db,
      sql`e.project_id = ${projectId} and e.sweep_name = ${sweepSlug} ${
        slugs === undefined ? sql`` : sql`and e.slug = any(${[...slugs]}::text[])`
      }`,
      sql`order by e.created_at desc, e.id desc limit ${limit}`,
      ...(content === 'slim' ? [withoutContent] : []),
    )
    return found.toReversed()
  }

  /** The finite values of a metric of each experiment in the order of logging; long ones thinned to lows and highs. */
  async function courses(
    experiments: readonly Pick<StoredExperiment, 'id' | 'rewritten'>[],
    key: string,
    pointsMax = courseMax,
  ): Promise<Map<string, number[]>> {
    const found = new Map<string, number[]>()
    for (let start = 0; start < experiments.length; start += curvesMax) {
      const some = experiments.slice(start, start + curvesMax)
      const curves = await metrics.sample({
        experimentIds: some.map(({ id }) => id),
        keys: [key],
        stream: 'history',
        x: 'step',
        from: null,
        to: null,
        pointsMax,
        rewritten: new Set(some.filter((each) => each.rewritten).map(({ id }) => id)),
      })
      for (const curve of curves) found.set(curve.experimentId, curve.y)
    }
    return found
  }

  /** Asks scripts to stop; those that have ended, or were asked before, are left alone. */
  async function stopInSweep(actor: Actor, ids: readonly string[], because: string): Promise<void> {
    if (ids.length === 0) return
    const stopped = await db.transaction().execute(async (trx) => {
      const { rows } = await sql<{
        id: string
        team_id: string
        project_id: string
        slug: string
        name: string
      }>`
        update experiments set stop_requested_at = ${clock.now()}, stop_requested_by = ${actor.userId}
        where id = any(${[...ids]}::uuid[]) and stop_requested_at is null and deleted_at is null
          and state not in (${sql.join(endedStates.map((state) => sql`${state}`))})
        returning id, team_id, project_id, slug, name`.execute(trx)
      for (const row of rows)
        await record(trx, actor, 'experiment:stop', {
          teamId: row.team_id,
          kind: 'experiment',
          id: row.id,
          details: { slug: row.slug, name: row.name, because },
        })
      return rows
    })
    for (const row of stopped)
      events.publish({
        type: 'experiment.changed',
        teamId: row.team_id,
        projectId: row.project_id,
        experimentId: row.id,
      })
  }

  /** Ends an experiment that was waiting for its script, which will not come. One that has begun is left alone. */
  async function giveUp(id: string, state: 'failed' | 'crashed' | 'killed'): Promise<boolean> {
    const ended = await facts.inTurn(id, async () => {
      const found = await db.transaction().execute(async (trx) => {
        const before = await lockExperiment(trx, id)
        if (before?.state !== 'pending') return undefined
        const after = { ...before, state, endedAt: clock.now() }
        await trx
          .updateTable('experiments')
          .set({ state, ended_at: after.endedAt })
          .where('id', '=', id)
          .execute()
        return { before, after }
      })
      if (!found) return { result: undefined, append: {} }
      const { before, after } = found
      const update = await facts.updateOf(after, () =>
        changedFacts(builtInFacts(before), builtInFacts(after)),
      )
      return { result: after, append: { facts: update } }
    })
    if (ended)
      events.publish({
        type: 'experiment.changed',
        teamId: ended.teamId,
        projectId: ended.projectId,
        experimentId: id,
      })
    return ended !== undefined
  }

  /**
   * Experiments of a project by their slugs, which the actor may add to a sweep.
   * @throws GridError not_found; forbidden, where the actor may not write about them.
   */
  async function annotatable(
    actor: Actor,
    projectId: string,
    slugs: readonly string[],
  ): Promise<StoredExperiment[]> {
    const found = await selectExperiments(
      db,
      sql`e.project_id = ${projectId} and e.slug = any(${[...slugs]}::text[])`,
      sql``,
      withoutContent,
    )
    const bySlug = new Map(found.map((experiment) => [experiment.slug, experiment]))
    return await Promise.all(
      slugs.map((slug) => access.allowed(actor, 'experiment:annotate', bySlug.get(slug))),
    )
  }

  /** Makes experiments that ended before part of a sweep. */
  async function putInSweep(ids: readonly string[], sweepSlug: string): Promise<void> {
    for (const id of ids)
      await facts.inTurn(id, async () => {
        const found = await db.transaction().execute(async (trx) => {
          const before = await lockExperiment(trx, id)
          if (!before) return undefined
          await updateExperiment(trx, id, { sweepName: sweepSlug }, clock.now())
          return { before, after: await findExperimentById(trx, id) }
        })
        if (!found?.after) return { result: undefined, append: {} }
        const { before, after } = found
        const update = await facts.updateOf(after, () =>
          changedFacts(builtInFacts(before), builtInFacts(after)),
        )
        return { result: undefined, append: { facts: update } }
      })
  }

  return { ofSweep, courses, stopInSweep, giveUp, annotatable, putInSweep }
}

/** The parameters an experiment had, as plain nested values. */
export function parametersIn({ config }: StoredExperiment): Record<string, unknown> {
  return plainConfig(config)
}
