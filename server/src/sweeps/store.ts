/** This slice's SQL. Rows become `StoredSweep`, `StoredAgent` and `StoredTrial` here and nowhere else. */
import type { ExperimentState, SweepState } from '@teamgrid/api'
import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { TeamRules } from '../actor.ts'
import type { Condition } from '../experiments/types.ts'
import { toStrictJson } from '../lib/tolerant-json.ts'
import type { Database } from '../stores/postgres/schema.ts'
import { toldOfExpression, whereOf } from './sweep-filter.ts'
import type { StoredAgent, StoredSweep, SweepRef } from './types.ts'

export type Db = Kysely<Database>

type SweepRow = {
  id: string
  project_id: string
  project_name: string
  team_id: string
  team_slug: string
  policy_preset: string
  policy_overrides: TeamRules['policy_overrides']
  team_kind: TeamRules['kind']
  project_visibility: 'team' | 'private'
  project_owner_id: string | null
  slug: string
  name: string | null
  description: string | null
  state: SweepState
  config: Record<string, unknown>
  config_text: string
  seed: number
  controller: Record<string, unknown>
  exhausted_at: Date | null
  creator_id: string
  creator_username: string
  creator_name: string
  via_id: string | null
  created_at: Date
  updated_at: Date
  heartbeat_at: Date | null
  ended_at: Date | null
}

const sweepColumns = sql`
  s.id, s.project_id, p.name as project_name, s.team_id, t.slug as team_slug,
  t.policy_preset, t.policy_overrides, t.kind as team_kind,
  p.visibility as project_visibility, p.created_by as project_owner_id,
  s.slug, s.name, s.description, s.state, s.config, s.config_text, s.seed, s.controller, s.exhausted_at,
  c.id as creator_id, c.username as creator_username, c.name as creator_name, s.via_user_id as via_id,
  s.created_at, s.updated_at, s.heartbeat_at, s.ended_at`

const fromSweeps = sql`
  from sweeps s
  join projects p on p.id = s.project_id
  join teams t on t.id = s.team_id
  join users c on c.id = s.created_by`

async function selectSweeps(
  db: Db,
  where: RawBuilder<unknown>,
  rest: RawBuilder<unknown> = sql``,
): Promise<StoredSweep[]> {
  const { rows } = await sql<SweepRow>`select ${sweepColumns} ${fromSweeps} where ${where} ${rest}`.execute(
    db,
  )
  return rows.map(sweepOf)
}

/** The sweep at an address; also at the address that it would have where an experiment of it moved to. */
export async function findSweep(db: Db, { team, project, slug }: SweepRef): Promise<StoredSweep | undefined> {
  const named = sql`lower(t.slug) = lower(${team}) and lower(p.name) = lower(${project})`
  const [here] = await selectSweeps(db, sql`${named} and s.slug = ${slug}`)
  if (here) return here
  // An experiment that moved away still names the sweep that began it.
  const began = sql`s.slug = ${slug} and s.id in (
    select x.sweep_id from sweep_trials x join experiments e on e.id = x.experiment_id
    join projects ep on ep.id = e.project_id join teams et on et.id = e.team_id
    where e.sweep_name = ${slug} and e.deleted_at is null
      and lower(et.slug) = lower(${team}) and lower(ep.name) = lower(${project}))`
  return (await selectSweeps(db, began, sql`limit 1`))[0]
}

export async function findSweepById(db: Db, id: string): Promise<StoredSweep | undefined> {
  return (await selectSweeps(db, sql`s.id = ${id}`))[0]
}

/** The sweep, nobody else changing it or its trials until the transaction ends. */
export async function lockSweep(trx: Db, id: string): Promise<StoredSweep | undefined> {
  return (await selectSweeps(trx, sql`s.id = ${id}`, sql`for update of s`))[0]
}

export type SweepsPage = { search?: string; where?: Condition; offset: number; limit: number }

/** A page of a project's sweeps, newest first, and how many there are in all. */
export async function listSweeps(
  db: Db,
  projectId: string,
  { search, where: condition, offset, limit }: SweepsPage,
): Promise<{ sweeps: StoredSweep[]; total: number }> {
  const fits = search?.trim()
    ? sql`and position(lower(${search.trim()}) in lower(concat_ws(' ', s.name, s.slug, s.description))) > 0`
    : sql``
  const chosen = condition === undefined ? sql`` : sql`and ${whereOf(condition)}`
  const where = sql`s.project_id = ${projectId} ${fits} ${chosen}`
  const [sweeps, counted] = await Promise.all([
    limit === 0
      ? []
      : selectSweeps(db, where, sql`order by s.created_at desc, s.id desc offset ${offset} limit ${limit}`),
    sql<{ total: number }>`select count(*) as total ${fromSweeps} where ${where}`.execute(db),
  ]).catch(toldOfExpression)
  return { sweeps, total: Number(counted.rows[0]!.total) }
}

/** Sweeps that have nothing left to try and are not yet finished. */
export async function exhaustedSweeps(db: Db, limit: number): Promise<StoredSweep[]> {
  return await selectSweeps(
    db,
    sql`s.exhausted_at is not null and s.state in ('pending', 'running')`,
    sql`limit ${limit}`,
  )
}

function sweepOf(row: SweepRow): StoredSweep {
  return {
    id: row.id,
    ...guardOf(row),
    ownerId: row.creator_id,
    createdById: row.via_id,
    kind: 'sweep',
    label: row.name ?? row.slug,
    projectId: row.project_id,
    projectName: row.project_name,
    teamSlug: row.team_slug,
    slug: row.slug,
    name: row.name,
    description: row.description,
    state: row.state,
    config: row.config,
    configText: row.config_text,
    seed: row.seed,
    controller: row.controller,
    exhaustedAt: row.exhausted_at,
    createdBy: { id: row.creator_id, username: row.creator_username, name: row.creator_name },
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    heartbeatAt: row.heartbeat_at,
    endedAt: row.ended_at,
  }
}

/** A private project keeps its sweeps and their agents private with it. */
function guardOf(
  row: Pick<
    SweepRow,
    'team_id' | 'policy_preset' | 'policy_overrides' | 'team_kind' | 'project_visibility' | 'project_owner_id'
  >,
) {
  const { team_id, policy_preset, policy_overrides, team_kind, project_visibility, project_owner_id } = row
  return {
    teamId: team_id,
    teamRules: { policy_preset, policy_overrides, kind: team_kind },
    visibility: project_visibility,
    keptById: project_owner_id,
  }
}

export type NewSweep = {
  id: string
  projectId: string
  teamId: string
  slug: string
  name: string | null
  description: string | null
  config: Record<string, unknown>
  configText: string
  seed: number
  createdBy: string
  viaUserId: string | null
  now: Date
}

export async function insertSweep(trx: Db, sweep: NewSweep): Promise<void> {
  await trx
    .insertInto('sweeps')
    .values({
      id: sweep.id,
      project_id: sweep.projectId,
      team_id: sweep.teamId,
      slug: sweep.slug,
      name: sweep.name,
      description: sweep.description,
      config: toStrictJson(sweep.config),
      config_text: sweep.configText,
      seed: sweep.seed,
      created_by: sweep.createdBy,
      via_user_id: sweep.viaUserId,
      created_at: sweep.now,
      updated_at: sweep.now,
    })
    .execute()
}

export type SweepChange = {
  name?: string | null
  description?: string | null
  state?: SweepState
  config?: Record<string, unknown>
  configText?: string
  controller?: Record<string, unknown>
  exhaustedAt?: Date | null
  endedAt?: Date | null
  heartbeatAt?: Date
}

/** Undefined leaves alone. A sign of life alone does not count as a change. */
export async function updateSweep(trx: Db, id: string, change: SweepChange, now: Date): Promise<void> {
  const { heartbeatAt, ...rest } = change
  await trx
    .updateTable('sweeps')
    .set({
      name: rest.name,
      description: rest.description,
      state: rest.state,
      config: rest.config && toStrictJson(rest.config),
      config_text: rest.configText,
      controller: rest.controller && toStrictJson(rest.controller),
      exhausted_at: rest.exhaustedAt,
      ended_at: rest.endedAt,
      heartbeat_at: heartbeatAt,
      ...(Object.keys(rest).length > 0 ? { updated_at: now } : {}),
    })
    .where('id', '=', id)
    .execute()
}

export async function deleteSweep(trx: Db, id: string): Promise<void> {
  await trx.deleteFrom('sweeps').where('id', '=', id).execute()
}

type AgentRow = {
  id: string
  sweep_id: string
  number: number
  host: string
  state: StoredAgent['state']
  created_at: Date
  heartbeat_at: Date
  ended_at: Date | null
  user_id: string
  via_user_id: string | null
  username: string
  user_name: string
  team_id: string
  policy_preset: string
  policy_overrides: TeamRules['policy_overrides']
  team_kind: TeamRules['kind']
  project_visibility: 'team' | 'private'
  project_owner_id: string | null
  trials: number
}

async function selectAgents(db: Db, where: RawBuilder<unknown>, rest: RawBuilder<unknown> = sql``) {
  const { rows } = await sql<AgentRow>`
    select a.*, u.username, u.name as user_name, s.team_id, t.policy_preset, t.policy_overrides, t.kind as team_kind,
      p.visibility as project_visibility, p.created_by as project_owner_id,
      (select count(*) from sweep_trials x where x.agent_id = a.id) as trials
    from sweep_agents a
    join sweeps s on s.id = a.sweep_id
    join projects p on p.id = s.project_id
    join teams t on t.id = s.team_id
    join users u on u.id = a.user_id
    where ${where} ${rest}`.execute(db)
  return rows.map(agentOf)
}

function agentOf(row: AgentRow): StoredAgent {
  return {
    id: row.id,
    ...guardOf(row),
    ownerId: row.user_id,
    createdById: row.via_user_id,
    kind: 'agent',
    label: `${row.host}-${row.number}`,
    sweepId: row.sweep_id,
    number: row.number,
    host: row.host,
    user: { username: row.username, name: row.user_name },
    state: row.state,
    createdAt: row.created_at,
    heartbeatAt: row.heartbeat_at,
    endedAt: row.ended_at,
    trials: Number(row.trials),
  }
}

export async function findAgent(db: Db, id: string): Promise<StoredAgent | undefined> {
  return (await selectAgents(db, sql`a.id = ${id}`))[0]
}

export async function agentsOf(db: Db, sweepId: string): Promise<StoredAgent[]> {
  return await selectAgents(db, sql`a.sweep_id = ${sweepId}`, sql`order by a.number desc limit 1000`)
}

export async function silentAgents(db: Db, before: Date, limit: number): Promise<StoredAgent[]> {
  return await selectAgents(
    db,
    sql`a.state = 'running' and a.heartbeat_at < ${before}`,
    sql`order by a.heartbeat_at limit ${limit}`,
  )
}

export async function liveAgentCounts(db: Db, sweepIds: readonly string[]): Promise<Map<string, number>> {
  if (sweepIds.length === 0) return new Map()
  const rows = await db
    .selectFrom('sweep_agents')
    .select((eb) => ['sweep_id', eb.fn.countAll<number>().as('count')])
    .where('sweep_id', 'in', [...sweepIds])
    .where('state', '=', 'running')
    .groupBy('sweep_id')
    .execute()
  return new Map(rows.map((row) => [row.sweep_id, Number(row.count)]))
}

export async function insertAgent(
  trx: Db,
  agent: { id: string; sweepId: string; host: string; userId: string; viaUserId: string | null; now: Date },
): Promise<void> {
  const { number } = await trx
    .selectFrom('sweep_agents')
    .select((eb) => eb.fn.coalesce(eb.fn.max('number'), eb.lit(0)).as('number'))
    .where('sweep_id', '=', agent.sweepId)
    .executeTakeFirstOrThrow()
  await trx
    .insertInto('sweep_agents')
    .values({
      id: agent.id,
      sweep_id: agent.sweepId,
      number: Number(number) + 1,
      host: agent.host,
      user_id: agent.userId,
      via_user_id: agent.viaUserId,
      created_at: agent.now,
      heartbeat_at: agent.now,
    })
    .execute()
}

/** An agent that speaks is alive, whatever was thought of it. */
export async function noteAlive(db: Db, agentId: string, slugs: readonly string[], now: Date): Promise<void> {
  await sql`
    with alive as (
      update sweep_agents set heartbeat_at = ${now}, state = 'running', ended_at = null
      where id = ${agentId} returning id, sweep_id
    ),
    reported as (
      update sweep_trials x set reported_at = ${now} from alive
      where x.agent_id = alive.id and x.slug = any(${[...slugs]}::text[]) and x.reported_at is null
    )
    update sweeps s set heartbeat_at = ${now} from alive where s.id = alive.sweep_id`.execute(db)
}

export async function endAgent(trx: Db, id: string, state: 'finished' | 'crashed', now: Date): Promise<void> {
  await trx.updateTable('sweep_agents').set({ state, ended_at: now }).where('id', '=', id).execute()
}

/** How many experiments of each state each sweep of a project has, by its slug. */
export async function countStates(
  db: Db,
  projectId: string,
  slugs: readonly string[],
): Promise<Map<string, Partial<Record<ExperimentState, number>>>> {
  const counts = new Map<string, Partial<Record<ExperimentState, number>>>()
  if (slugs.length === 0) return counts
  const rows = await db
    .selectFrom('experiments')
    .select((eb) => ['sweep_name', 'state', eb.fn.countAll<number>().as('count')])
    .where('project_id', '=', projectId)
    .where('sweep_name', 'in', [...slugs])
    .where('deleted_at', 'is', null)
    .groupBy(['sweep_name', 'state'])
    .execute()
  for (const row of rows) {
    const states = counts.get(row.sweep_name!) ?? {}
    states[row.state] = Number(row.count)
    counts.set(row.sweep_name!, states)
  }
  return counts
}

/** How many experiments that each sweep began are in another project by now, by the sweep's id. */
export async function countMoved(db: Db, sweepIds: readonly string[]): Promise<Map<string, number>> {
  const { rows } = await sql<{ sweep_id: string; count: number }>`
    select x.sweep_id, count(*) as count
    from sweep_trials x join sweeps s on s.id = x.sweep_id join experiments e on e.id = x.experiment_id
    where x.sweep_id = any(${[...sweepIds]}::uuid[]) and e.project_id <> s.project_id and e.deleted_at is null
    group by x.sweep_id`.execute(db)
  return new Map(rows.map((row) => [row.sweep_id, Number(row.count)]))
}
