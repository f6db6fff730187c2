/** This slice's SQL on experiments. Rows become `StoredExperiment` here and nowhere else. */
import type { ExperimentState } from '@teamgrid/api'
import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Guarded, TeamRules } from '../actor.ts'
import { storableText, toStrictJson } from '../lib/tolerant-json.ts'
import type { Database } from '../stores/postgres/schema.ts'
import { type Inherited, linesOf } from './branch.ts'
import type { ExperimentRef, StoredExperiment, UpsertExperiment } from './types.ts'

export type Db = Kysely<Database>

type Row = {
  id: string
  project_id: string
  project_name: string
  project_number: number
  team_id: string
  team_slug: string
  policy_preset: string
  policy_overrides: TeamRules['policy_overrides']
  team_kind: TeamRules['kind']
  project_visibility: 'team' | 'private'
  project_owner_id: string | null
  slug: string
  name: string
  state: ExperimentState
  exit_code: number | null
  creator_id: string
  creator_username: string
  creator_name: string
  creator_email: string | null
  via_id: string | null
  via_username: string | null
  via_name: string | null
  notes: string
  tags: string[]
  group_name: string | null
  job_type: string | null
  sweep_name: string | null
  host: string | null
  program: string | null
  repo: string | null
  commit: string | null
  config: Record<string, unknown>
  summary: Record<string, unknown>
  created_at: Date
  updated_at: Date
  heartbeat_at: Date
  ended_at: Date | null
  stop_requested: boolean
  history_lines: number
  system_lines: number
  console_lines: number
  rewritten: boolean
  moved: boolean
  branched_from_slug: string | null
  branched_at_step: number | null
  branch_kind: 'fork' | 'rewind' | null
}

export const slimColumns = sql`
  e.id, e.project_id, p.name as project_name, p.number as project_number, e.team_id, t.slug as team_slug,
  t.policy_preset, t.policy_overrides, t.kind as team_kind, p.visibility as project_visibility,
  p.created_by as project_owner_id,
  e.slug, e.name, e.state, e.exit_code,
  c.id as creator_id, c.username as creator_username, c.name as creator_name, c.email as creator_email,
  v.id as via_id, v.username as via_username, v.name as via_name,
  e.notes, e.tags, e.group_name, e.job_type, e.sweep_name, e.host, e.program, e.repo, e.commit,
  e.created_at, e.updated_at, e.heartbeat_at, e.ended_at, e.stop_requested_at is not null as stop_requested,
  coalesce(upper(e.history_lines), 0) as history_lines, coalesce(upper(e.system_lines), 0) as system_lines,
  coalesce(upper(e.console_lines), 0) as console_lines, e.rewritten, e.moved_at is not null as moved,
  e.branched_at_step, e.branch_kind, (
    select parent.slug from experiments parent
    where parent.id = e.branched_from and parent.project_id = e.project_id and parent.deleted_at is null
  ) as branched_from_slug`

/** `e` experiment, `p` project, `t` team, `c` creator, `v` service account. Deleted experiments are not there. */
export const fromExperiments = sql`
  from experiments e
  join projects p on p.id = e.project_id
  join teams t on t.id = e.team_id
  join users c on c.id = e.created_by
  left join users v on v.id = e.via_user_id`

/**
 * Experiments with everything above them.
 * @param where a condition on `e`, `p`, `t`, `c`, `v`; deleted ones are left out anyway.
 * @param rest order and limit.
 */
export async function selectExperiments(
  db: Db,
  where: RawBuilder<unknown>,
  rest: RawBuilder<unknown> = sql``,
  content: RawBuilder<unknown> = sql`e.config, e.summary`,
): Promise<StoredExperiment[]> {
  const { rows } = await sql<Row>`
    select ${slimColumns}, ${content} ${fromExperiments} where e.deleted_at is null and ${where} ${rest}`.execute(
    db,
  )
  return rows.map(storedOf)
}

/** Instead of config and summary, where nobody looks at them. */
export const withoutContent = sql`'{}'::jsonb as config, '{}'::jsonb as summary`

const named = ({ team, project, slug }: ExperimentRef) =>
  sql`lower(t.slug) = lower(${team}) and lower(p.name) = lower(${project}) and e.slug = ${slug}`

/** The experiment at an address, or the one that moved away from it. */
export async function findExperiment(db: Db, ref: ExperimentRef): Promise<StoredExperiment | undefined> {
  return (await selectExperiments(db, named(ref)))[0] ?? (await selectExperiments(db, formerlyNamed(ref)))[0]
}

/** As `findExperiment`, with empty config and summary. */
export async function findSlimExperiment(db: Db, ref: ExperimentRef): Promise<StoredExperiment | undefined> {
  const [here] = await selectExperiments(db, named(ref), sql``, withoutContent)
  return here ?? (await selectExperiments(db, formerlyNamed(ref), sql``, withoutContent))[0]
}

/** By the project that has the name today before one that had it once; of several, the one that left last. */
const formerlyNamed = ({ team, project, slug }: ExperimentRef) => sql`e.id = (
  select f.experiment_id from experiment_addresses f
  join teams ft on ft.id = f.team_id
  left join projects fp on fp.id = f.project_id
  where lower(ft.slug) = lower(${team}) and f.slug = ${slug}
    and (lower(fp.name) = lower(${project}) or lower(f.project_name) = lower(${project}))
  order by (lower(fp.name) = lower(${project})) is true desc, f.created_at desc limit 1)`

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export async function findExperimentById(db: Db, id: string): Promise<StoredExperiment | undefined> {
  return uuid.test(id) ? (await selectExperiments(db, sql`e.id = ${id}`))[0] : undefined
}

/** One that was deleted and is still known by its id; without its content. */
export async function findRemovedExperiment(db: Db, id: string): Promise<StoredExperiment | undefined> {
  if (!uuid.test(id)) return undefined
  const { rows } = await sql<Row>`
    select ${slimColumns}, ${withoutContent} ${fromExperiments}
    where e.deleted_at is not null and e.id = ${id}`.execute(db)
  return rows[0] && storedOf(rows[0])
}

export async function findSlimExperiments(db: Db, ids: string[]): Promise<StoredExperiment[]> {
  return ids.length === 0
    ? []
    : await selectExperiments(db, sql`e.id = any(${ids}::uuid[])`, sql``, withoutContent)
}

function storedOf(row: Row): StoredExperiment {
  return {
    id: row.id,
    ...guardOf(row),
    projectId: row.project_id,
    projectName: row.project_name,
    projectNumber: row.project_number,
    teamSlug: row.team_slug,
    slug: row.slug,
    name: row.name,
    state: row.state,
    exitCode: row.exit_code,
    createdBy: {
      id: row.creator_id,
      username: row.creator_username,
      name: row.creator_name,
      email: row.creator_email,
    },
    via: row.via_id === null ? null : { id: row.via_id, username: row.via_username!, name: row.via_name! },
    notes: row.notes,
    tags: row.tags,
    group: row.group_name,
    jobType: row.job_type,
    sweepName: row.sweep_name,
    host: row.host,
    program: row.program,
    repo: row.repo,
    commit: row.commit,
    config: row.config,
    summary: row.summary,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    heartbeatAt: row.heartbeat_at,
    endedAt: row.ended_at,
    stopRequested: row.stop_requested,
    historyLines: row.history_lines,
    systemLines: row.system_lines,
    consoleLines: row.console_lines,
    rewritten: row.rewritten,
    moved: row.moved,
    branchedFrom:
      row.branch_kind === null || row.branched_at_step === null
        ? null
        : { slug: row.branched_from_slug, step: row.branched_at_step, kind: row.branch_kind },
  }
}

function guardOf(row: Row): Guarded {
  return {
    teamId: row.team_id,
    teamRules: {
      policy_preset: row.policy_preset,
      policy_overrides: row.policy_overrides,
      kind: row.team_kind,
    },
    ownerId: row.creator_id,
    createdById: row.via_id,
    experimentId: row.id,
    visibility: row.project_visibility,
    keptById: row.project_owner_id,
    kind: 'experiment',
    label: row.name,
  }
}

export type NewExperiment = {
  id: string
  projectId: string
  teamId: string
  slug: string
  name: string
  createdBy: string
  viaUserId: string | null
  now: Date
  inherited?: Inherited | undefined
}

/** @returns false when somebody else has just made one of that slug. */
export async function insertExperiment(
  trx: Db,
  { id, projectId, teamId, slug, name, createdBy, viaUserId, now, inherited }: NewExperiment,
  input: UpsertExperiment,
): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('experiments')
    .values({
      id,
      project_id: projectId,
      team_id: teamId,
      slug,
      state: input.state ?? 'running',
      created_by: createdBy,
      via_user_id: viaUserId,
      created_at: now,
      updated_at: now,
      heartbeat_at: now,
      ...columnsOf(input),
      name: storableText(name),
      ...(inherited && {
        summary: toStrictJson(input.summary ?? inherited.summary.summary),
        inherited_summary: toStrictJson(inherited.summary),
        history_lines: linesOf(inherited),
        branched_from: inherited.fromId,
        branched_at_step: inherited.step,
        branch_kind: inherited.kind,
      }),
    })
    .onConflict((conflict) =>
      conflict.columns(['project_id', 'slug']).where('deleted_at', 'is', null).doNothing(),
    )
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

/** The experiment, nobody else changing it until the transaction ends; undefined when it is deleted. */
export async function lockExperiment(trx: Db, id: string): Promise<StoredExperiment | undefined> {
  return (await selectExperiments(trx, sql`e.id = ${id}`, sql`for update of e`))[0]
}

export async function finishExperiment(
  trx: Db,
  id: string,
  end: { state: ExperimentState; exitCode: number | null; endedAt: Date },
): Promise<void> {
  await trx
    .updateTable('experiments')
    .set({ state: end.state, exit_code: end.exitCode, ended_at: end.endedAt })
    .where('id', '=', id)
    .execute()
}

/**
 * Changes what is given. A script that begins again an experiment that had ended must not be stopped by the wish of
 * then. `pending` puts one back into waiting; everything else about states follows from what scripts send.
 */
export async function updateExperiment(
  trx: Db,
  id: string,
  input: UpsertExperiment,
  now: Date,
): Promise<void> {
  await trx
    .updateTable('experiments')
    .set({
      ...columnsOf(input),
      updated_at: now,
      ...(input.config
        ? {
            stop_requested_at: sql<Date | null>`case
              when state in ('pending', 'running', 'preempting') then stop_requested_at end`,
          }
        : {}),
      ...(input.state === 'pending' ? { state: 'pending' as const, ended_at: null, exit_code: null } : {}),
    })
    .where('id', '=', id)
    .execute()
}

/** Undefined columns are left out by Kysely, which is what "leave alone" needs. */
function columnsOf(input: UpsertExperiment) {
  const text = (value: string | undefined) => (value === undefined ? undefined : storableText(value))
  return {
    name: text(input.name),
    group_name: text(input.group),
    job_type: text(input.jobType),
    notes: text(input.notes),
    tags: input.tags && [...new Set(input.tags.map(storableText))],
    config: input.config && toStrictJson(input.config),
    summary: input.summary && toStrictJson(input.summary),
    commit: text(input.commit),
    repo: text(input.repo),
    host: text(input.host),
    program: text(input.program),
    sweep_name: text(input.sweepName),
  }
}

/** Counts another experiment of the project, for its readable name. */
export async function nextNumber(trx: Db, projectId: string): Promise<number> {
  const { experiments_made } = await trx
    .updateTable('projects')
    .set((eb) => ({ experiments_made: eb('experiments_made', '+', 1) }))
    .where('id', '=', projectId)
    .returning('experiments_made')
    .executeTakeFirstOrThrow()
  return experiments_made
}

export type Claim = {
  projectId: string
  stateBefore: ExperimentState
  state: ExperimentState
  /** Null when the message brought no summary. */
  summaryBefore: Record<string, unknown> | null
  summary: Record<string, unknown> | null
  createdAt: Date
  heartbeatAt: Date
  endedAt: Date | null
  endedBefore: Date | null
  stopRequested: boolean
}

/** Lines `line` … `line + count - 1`. */
export type LineRange = { line: number; count: number }

/** `{[3,7),[9,10)}` */
function multirange(ranges: LineRange[]): string {
  return `{${ranges.map(({ line, count }) => `[${line},${line + count})`).join(',')}}`
}

/**
 * Marks lines as stored, notes the sign of life and takes the summary, in one statement. A sign of life makes an
 * experiment run (again), unless the message also says that it ended: that is decided when its data is in.
 *
 * @returns what changed, or undefined when the experiment is deleted.
 */
export async function claimLines(
  db: Db,
  id: string,
  message: {
    history: LineRange[]
    system: LineRange[]
    console: LineRange[]
    summary: Record<string, unknown> | undefined
    mergeSummary: boolean
    preempting: boolean
    ends: boolean
    now: Date
  },
): Promise<Claim | undefined> {
  const summary = message.summary === undefined ? null : toStrictJson(message.summary)
  const history = sql`${multirange(message.history)}::int8multirange`
  const system = sql`${multirange(message.system)}::int8multirange`
  const revives = sql`(not ${message.ends}::boolean and b.state not in ('running', 'preempting'))`
  const { rows } = await sql<{
    project_id: string
    state_before: ExperimentState
    state: ExperimentState
    summary_before: Record<string, unknown> | null
    summary_merged: Record<string, unknown> | null
    created_at: Date
    heartbeat_at: Date
    ended_at: Date | null
    ended_before: Date | null
    stop_requested: boolean
  }>`
    with m as (select ${summary}::jsonb as summary),
    b as (select * from experiments where id = ${id} and deleted_at is null for update)
    update experiments e set
      history_lines = b.history_lines + ${history},
      system_lines = b.system_lines + ${system},
      console_lines = b.console_lines + ${multirange(message.console)}::int8multirange,
      rewritten = b.rewritten or b.history_lines && ${history} or b.system_lines && ${system},
      summary = case
        when m.summary is null then b.summary
        when ${message.mergeSummary}::boolean then b.summary || m.summary
        else m.summary end,
      heartbeat_at = greatest(b.heartbeat_at, ${message.now}),
      state = case
        when ${message.ends}::boolean then b.state
        when ${message.preempting}::boolean or b.state = 'preempting' then 'preempting'
        else 'running' end,
      ended_at = case when ${revives} then null else b.ended_at end,
      exit_code = case when ${revives} then null else b.exit_code end,
      -- A script that was stopped and is resumed must not be stopped again by the old wish. One that was only out of
      -- reach (crashed) still has to hear it.
      stop_requested_at = case
        when ${revives} and b.state in ('finished', 'failed', 'killed', 'preempted') then null
        else b.stop_requested_at end
    from b, m where e.id = b.id
    returning e.project_id, b.state as state_before, e.state,
      case when m.summary is null then null else b.summary end as summary_before,
      case when m.summary is not null and ${message.mergeSummary}::boolean then e.summary end as summary_merged,
      e.created_at, e.heartbeat_at, e.ended_at, b.ended_at as ended_before,
      e.stop_requested_at is not null as stop_requested`.execute(db)
  const [row] = rows
  return (
    row && {
      projectId: row.project_id,
      stateBefore: row.state_before,
      state: row.state,
      summaryBefore: row.summary_before,
      // What was just written need not be sent back.
      summary: row.summary_merged ?? (summary === null ? null : (JSON.parse(summary) as Claim['summary'])),
      createdAt: row.created_at,
      heartbeatAt: row.heartbeat_at,
      endedAt: row.ended_at,
      endedBefore: row.ended_before,
      stopRequested: row.stop_requested,
    }
  )
}
