/** The SQL on trials: what a sweep has chosen, and who has it. Rows become `StoredTrial`s here. */
import { endedStates, type ExperimentState } from '@teamgrid/api'
import { sql } from 'kysely'
import { toStrictJson } from '../lib/tolerant-json.ts'
import type { Values } from './parameters.ts'
import type { Db } from './store.ts'
import type { StoredSweep, StoredTrial } from './types.ts'

type TrialRow = {
  number: number
  params: Values
  state: StoredTrial['state']
  slug: string | null
  experiment_id: string | null
  agent_id: string | null
  schedule_id: string | null
  handed_count: number
  lost_count: number
  reported_at: Date | null
  experiment_state: ExperimentState | null
  experiment_owner_id: string | null
}

/** What was handed out and came to its end; preempted ones will be run again. */
const settledStates = sql.join(
  endedStates.filter((state) => state !== 'preempted').map((state) => sql`${state}`),
)

/**
 * The trials that are not settled: those that wait, were handed out and not begun, run, or were preempted; in order. Few,
 * however many the sweep has had. With an agent only its own.
 */
export async function openTrials(db: Db, sweepId: string, agentId?: string): Promise<StoredTrial[]> {
  const ofAgent = agentId === undefined ? sql`` : sql`and x.agent_id = ${agentId}`
  const { rows } = await sql<TrialRow>`
    select x.number, x.params, x.state, x.slug, x.experiment_id, x.agent_id, x.schedule_id, x.handed_count,
      x.lost_count, x.reported_at, e.state as experiment_state, e.created_by as experiment_owner_id
    from sweep_trials x left join experiments e on e.id = x.experiment_id
    where x.sweep_id = ${sweepId} ${ofAgent} and x.state <> 'dropped'
      and (x.experiment_id is null or (e.deleted_at is null and e.state not in (${settledStates})))
    order by x.number`.execute(db)
  return rows.map((row) => ({
    number: row.number,
    values: row.params,
    state: row.state,
    slug: row.slug,
    experimentId: row.experiment_id,
    agentId: row.agent_id,
    scheduleId: row.schedule_id,
    handedCount: row.handed_count,
    lostCount: row.lost_count,
    reportedAt: row.reported_at,
    experimentState: row.experiment_state,
    experimentOwnerId: row.experiment_owner_id,
  }))
}

/** `void` trials count for nothing: their experiments were deleted, or too many agents died over them. */
export type TrialTally = { counted: number; voids: number; nextNumber: number }

export async function tallyTrials(db: Db, sweepId: string): Promise<TrialTally> {
  const { rows } = await sql<{ total: number; voids: number; last: number | null }>`
    select count(*) as total, max(x.number) as last, count(*) filter (where ${isVoid}) as voids
    from sweep_trials x left join experiments e on e.id = x.experiment_id
    where x.sweep_id = ${sweepId}`.execute(db)
  const { total, voids, last } = rows[0]!
  return { counted: Number(total) - Number(voids), voids: Number(voids), nextNumber: (last ?? -1) + 1 }
}

const isVoid = sql`(x.state = 'dropped' or (x.experiment_id is not null and (e.id is null or e.deleted_at is not null)))`

/** What was tried from a number on, without what is void, in order. */
export async function triedFrom(
  db: Db,
  sweepId: string,
  from: number,
  limit: number,
): Promise<{ number: number; values: Values; isVoid: boolean }[]> {
  const { rows } = await sql<{ number: number; params: Values; is_void: boolean }>`
    select x.number, x.params, ${isVoid} as is_void
    from sweep_trials x left join experiments e on e.id = x.experiment_id
    where x.sweep_id = ${sweepId} and x.number >= ${from} order by x.number limit ${limit}`.execute(db)
  return rows.map((row) => ({ number: row.number, values: row.params, isVoid: row.is_void }))
}

/** The values that the sweep chose for these experiments, by their ids; others are not of its choosing. */
export async function chosenValues(
  db: Db,
  sweepId: string,
  experimentIds: readonly string[],
): Promise<Map<string, Values>> {
  const { rows } = await sql<{ experiment_id: string; params: Values }>`
    select experiment_id, params from sweep_trials
    where sweep_id = ${sweepId} and experiment_id = any(${[...experimentIds]}::uuid[])`.execute(db)
  return new Map(rows.map((row) => [row.experiment_id, row.params]))
}

/** What the sweep did not choose itself: experiments of before it, or put into it by their scripts. Newest first. */
export async function priorSlugs(
  db: Db,
  { id, projectId, slug }: Pick<StoredSweep, 'id' | 'projectId' | 'slug'>,
  limit: number,
): Promise<string[]> {
  const { rows } = await sql<{ slug: string }>`
    select e.slug from experiments e
    where e.project_id = ${projectId} and e.sweep_name = ${slug} and e.deleted_at is null
      and e.id not in (
        select x.experiment_id from sweep_trials x where x.sweep_id = ${id} and x.experiment_id is not null)
    order by e.created_at desc, e.id desc limit ${limit}`.execute(db)
  return rows.map((row) => row.slug)
}

/** The slugs of a sweep's experiments in the order of their making; of an agent only those it was given. */
export async function experimentSlugs(
  db: Db,
  { id, projectId, slug }: Pick<StoredSweep, 'id' | 'projectId' | 'slug'>,
  { agentId, isLive, before }: { agentId?: string; isLive?: true; before?: Date } = {},
): Promise<string[]> {
  const ofAgent =
    agentId === undefined
      ? sql``
      : sql`and e.slug in (select x.slug from sweep_trials x where x.sweep_id = ${id} and x.agent_id = ${agentId})`
  const live = isLive
    ? sql`and e.state not in (${sql.join(endedStates.map((state) => sql`${state}`))})`
    : sql``
  const older = before ? sql`and e.created_at < ${before}` : sql``
  const { rows } = await sql<{ slug: string }>`
    select e.slug from experiments e
    where e.project_id = ${projectId} and e.sweep_name = ${slug} and e.deleted_at is null ${ofAgent} ${live} ${older}
    order by e.created_at, e.id`.execute(db)
  return rows.map((row) => row.slug)
}

/** What became of a controller's wishes, newest last. */
export async function scheduledTrials(
  db: Db,
  sweepId: string,
  limit: number,
): Promise<{ id: string; slug: string | null }[]> {
  const { rows } = await sql<{ schedule_id: string; slug: string | null }>`
    select schedule_id, slug from sweep_trials
    where sweep_id = ${sweepId} and schedule_id is not null order by number desc limit ${limit}`.execute(db)
  return rows.map((row) => ({ id: row.schedule_id, slug: row.slug })).toReversed()
}

/** Which of these wishes of a controller are trials already. */
export async function knownSchedules(db: Db, sweepId: string, ids: readonly string[]): Promise<Set<string>> {
  const { rows } = await sql<{ schedule_id: string }>`
    select schedule_id from sweep_trials
    where sweep_id = ${sweepId} and schedule_id = any(${[...ids]}::text[])`.execute(db)
  return new Set(rows.map((row) => row.schedule_id))
}

export async function insertTrial(
  trx: Db,
  sweepId: string,
  trial: { number: number; values: Values; slug: string | null; scheduleId: string | null; now: Date },
): Promise<void> {
  await trx
    .insertInto('sweep_trials')
    .values({
      sweep_id: sweepId,
      number: trial.number,
      params: toStrictJson(trial.values),
      state: 'waiting',
      slug: trial.slug,
      schedule_id: trial.scheduleId,
      created_at: trial.now,
    })
    .execute()
}

export async function handTrial(
  trx: Db,
  sweepId: string,
  number: number,
  to: { agentId: string; slug: string; now: Date },
): Promise<void> {
  await trx
    .updateTable('sweep_trials')
    .set((eb) => ({
      state: 'handed',
      agent_id: to.agentId,
      slug: to.slug,
      handed_at: to.now,
      reported_at: null,
      handed_count: eb('handed_count', '+', 1),
    }))
    .where('sweep_id', '=', sweepId)
    .where('number', '=', number)
    .execute()
}

export async function noteExperiment(
  db: Db,
  sweepId: string,
  number: number,
  experimentId: string,
): Promise<void> {
  await db
    .updateTable('sweep_trials')
    .set({ experiment_id: experimentId })
    .where('sweep_id', '=', sweepId)
    .where('number', '=', number)
    .execute()
}

/** Its agent is gone: somebody else may take it, under a new slug. */
export async function returnTrial(
  trx: Db,
  sweepId: string,
  number: number,
  state: 'waiting' | 'dropped',
): Promise<void> {
  await trx
    .updateTable('sweep_trials')
    .set((eb) => ({
      state,
      slug: null,
      experiment_id: null,
      agent_id: null,
      handed_at: null,
      reported_at: null,
      handed_count: 0,
      lost_count: eb('lost_count', '+', 1),
    }))
    .where('sweep_id', '=', sweepId)
    .where('number', '=', number)
    .execute()
}
