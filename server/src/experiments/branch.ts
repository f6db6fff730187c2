/**
 * Going back in time. A fork is a new experiment that begins with another's history up to a step. A rewound experiment
 * does the same with its own history: what it was before stays, whole and with its files, as an experiment beside it, and
 * the new one takes over its slug, name and place. Nothing is ever taken out of a history.
 *
 * History is copied before the new experiment can be seen, so one that is there is complete. When the server ends in
 * between, lines of an experiment that never came to be remain in the metric store; they do no harm.
 */
import { type ExperimentDetails, GridError } from '@teamgrid/api'
import { sql } from 'kysely'
import { record } from '../activity.ts'
import type { Actor } from '../actor.ts'
import { newId } from '../lib/ids.ts'
import { parseJsonObject, toStrictJson } from '../lib/tolerant-json.ts'
import type { Parts } from './deps.ts'
import { isEnded } from './experiment.ts'
import { builtInFacts, changedFacts, factsOf } from './facts.ts'
import { createSumming, type InheritedSummary } from './inherited-summary.ts'
import { pointsOf } from './points.ts'
import { type Db, findExperimentById, findSlimExperiment, lockExperiment } from './store.ts'
import type { ExperimentRef, StoredExperiment } from './types.ts'

/** Lines copied at once: with a hundred keys each, one group of the metric store. */
const linesPerBatch = 1000
const slugLengthMax = 128
/** Shown of one experiment. */
const branchesMax = 200
/** How far back files of media are looked for. */
const ancestorsMax = 50

/** What a branch begins with. */
export type Inherited = {
  fromId: string
  step: number
  kind: 'fork' | 'rewind'
  lines: number
  summary: InheritedSummary
}

export function createBranching({ db, access, metrics, facts, events, clock }: Parts) {
  /**
   * Copies what a fork begins with to an experiment that is about to be made.
   * @throws GridError not_found, if there is none of that slug in the project for this actor; invalid, if it never came
   *   to that step.
   */
  async function inherit(actor: Actor, from: ExperimentRef, step: number, toId: string): Promise<Inherited> {
    const found = await findSlimExperiment(db, from)
    if (!found || !(await access.permits(actor, 'metric:read', found)))
      throw new GridError('not_found', `There is no "${from.slug}" in project ${from.project} to fork from.`)
    await checkStep(found, step)
    const { lines, summary } = await copyHistory(found, toId, step)
    return { fromId: found.id, step, kind: 'fork', lines, summary }
  }

  /**
   * Takes an experiment back to a step.
   * @returns the experiment that now has its slug, with the history up to and including that step.
   */
  async function rewind(actor: Actor, ref: ExperimentRef, step: number): Promise<StoredExperiment> {
    const found = await access.allowed(actor, 'experiment:log', findSlimExperiment(db, ref))
    await checkStep(found, step)
    const id = newId(clock.now().getTime())
    const { lines, summary } = await copyHistory(found, id, step)
    const inherited: Inherited = { fromId: found.id, step, kind: 'rewind', lines, summary }
    const rewound = await facts.inTurn(found.id, async () => {
      const { before, after, made } = await db
        .transaction()
        .execute((trx) => replace(trx, actor, found, id, inherited))
      const former = await facts.updateOf(after, () =>
        changedFacts(builtInFacts(before), builtInFacts(after)),
      )
      const whole = {
        projectId: made.projectId,
        experimentId: id,
        facts: [...factsOf(made).values()],
        removedKeys: [],
      }
      return { result: made, append: { facts: [...former, whole] } }
    })
    for (const experimentId of [found.id, id])
      events.publish({
        type: 'experiment.changed',
        teamId: found.teamId,
        projectId: found.projectId,
        experimentId,
      })
    return rewound
  }

  async function replace(trx: Db, actor: Actor, found: StoredExperiment, id: string, inherited: Inherited) {
    const before = await lockExperiment(trx, found.id)
    if (!before || before.slug !== found.slug || before.historyLines !== found.historyLines) {
      await metrics.forget([id])
      throw new GridError('unavailable', `${found.slug} is being written; try again.`, {
        retryAfterSeconds: 1,
      })
    }
    const now = clock.now()
    await trx
      .updateTable('experiments')
      .set({
        slug: await freeSlug(trx, before),
        name: `${before.name} (before step ${inherited.step})`,
        sweep_name: null,
        updated_at: now,
        ...(isEnded(before.state) ? {} : { state: 'killed' as const, ended_at: now }),
      })
      .where('id', '=', before.id)
      .execute()
    await sql`
      insert into experiments (
        id, project_id, team_id, slug, name, state, created_by, via_user_id, notes, tags, group_name, job_type, sweep_name,
        host, program, repo, commit, config, summary, created_at, updated_at, heartbeat_at, moved_at, moved_by,
        history_lines, branched_from, branched_at_step, branch_kind, inherited_summary)
      select ${id}, project_id, team_id, ${before.slug}, ${before.name}, 'running', created_by, via_user_id, notes, tags,
        group_name, job_type, ${before.sweepName}::text, host, program, repo, commit, config,
        ${toStrictJson(inherited.summary.summary)}::jsonb, created_at, ${now}, ${now}, moved_at, moved_by,
        ${linesOf(inherited)}::int8multirange, id, ${inherited.step}, 'rewind',
        ${toStrictJson(inherited.summary)}::jsonb
      from experiments where id = ${before.id}`.execute(trx)
    await trx
      .updateTable('experiment_addresses')
      .set({ experiment_id: id })
      .where('experiment_id', '=', before.id)
      .execute()
    await record(trx, actor, 'experiment:rewind', {
      teamId: before.teamId,
      kind: 'experiment',
      id,
      details: { slug: before.slug, step: inherited.step },
    })
    const after = await findExperimentById(trx, before.id)
    const made = await findExperimentById(trx, id)
    return { before, after: after!, made: made! }
  }

  /** A fork past the end would leave a hole that looks like a whole history. */
  async function checkStep(found: StoredExperiment, step: number): Promise<void> {
    const [newest] = await metrics.latest({ experimentId: found.id, stream: 'history', limit: 1 })
    const last = newest ? newest.step : -1
    if (step > last)
      throw new GridError(
        'invalid',
        last < 0
          ? `${found.slug} has logged nothing yet, so there is no step ${step} to go back to.`
          : `${found.slug} has steps up to ${last}, so there is no step ${step} to go back to.`,
      )
  }

  /** @returns how many lines were copied, and what they leave as a summary. */
  async function copyHistory(from: StoredExperiment, toId: string, step: number) {
    let lines = 0
    const { config } = (await findExperimentById(db, from.id)) ?? from
    const summing = createSumming(config)
    for (let lineFrom = 0; ;) {
      const batch = await metrics.scan({
        experimentId: from.id,
        stream: 'history',
        stepTo: step + 1,
        lineFrom,
        limit: linesPerBatch,
        rewritten: from.rewritten,
      })
      const first = lines
      await metrics.append({
        lines: batch.map(({ raw }, index) => pointsOf(toId, 'history', first + index, raw)),
      })
      for (const { raw } of batch) summing.add(parseJsonObject(raw) ?? {})
      lines += batch.length
      if (batch.length < linesPerBatch) return { lines, summary: summing.result() }
      lineFrom = batch.at(-1)!.line + 1
    }
  }

  return { inherit, rewind }
}

/** `{[0,7)}`: the lines of a branch are numbered anew. */
export function linesOf({ lines }: Pick<Inherited, 'lines'>): string {
  return lines === 0 ? '{}' : `{[0,${lines})}`
}

/** The summaries that branches began with, by their ids; they never change. */
export async function findInheritedSummaries(
  db: Db,
  ids: readonly string[],
): Promise<Map<string, InheritedSummary>> {
  const rows = await db
    .selectFrom('experiments')
    .select(['id', 'inherited_summary'])
    .where('id', 'in', [...ids])
    .where('inherited_summary', 'is not', null)
    .execute()
  return new Map(rows.map((row) => [row.id, row.inherited_summary!]))
}

/** What branches off an experiment, oldest first. */
export async function findBranches(
  db: Db,
  { id, projectId }: Pick<StoredExperiment, 'id' | 'projectId'>,
): Promise<ExperimentDetails['branches']> {
  const rows = await db
    .selectFrom('experiments')
    .select(['slug', 'name', 'branched_at_step', 'branch_kind'])
    .where('branched_from', '=', id)
    .where('project_id', '=', projectId)
    .where('deleted_at', 'is', null)
    .orderBy('id')
    .limit(branchesMax)
    .execute()
  return rows.map((row) => ({
    slug: row.slug,
    name: row.name,
    step: row.branched_at_step!,
    kind: row.branch_kind!,
  }))
}

/** Those an experiment branched from, the nearest first, as far as they are there and of the same project. */
export async function findAncestorIds(
  db: Db,
  { id, projectId }: Pick<StoredExperiment, 'id' | 'projectId'>,
): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    with recursive ancestors as (
      select branched_from as id, 1 as distance from experiments where id = ${id}
      union all
      select e.branched_from, a.distance + 1 from ancestors a join experiments e on e.id = a.id
      where a.distance < ${ancestorsMax}
    )
    select a.id from ancestors a join experiments e on e.id = a.id
    where e.project_id = ${projectId} and e.deleted_at is null order by a.distance`.execute(db)
  return rows.map((row) => row.id)
}

/** `r1-before-rewind-2`, the first that is free. */
async function freeSlug(trx: Db, { projectId, slug }: StoredExperiment): Promise<string> {
  const stem = `${slug.slice(0, slugLengthMax - 25)}-before-rewind-`
  const rows = await trx
    .selectFrom('experiments')
    .select('slug')
    .where('project_id', '=', projectId)
    .where(sql<boolean>`starts_with(slug, ${stem})`)
    .execute()
  const taken = new Set(rows.map((row) => row.slug))
  for (let number = 1; ; number++) if (!taken.has(`${stem}${number}`)) return `${stem}${number}`
}
