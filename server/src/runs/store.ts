/** This slice's SQL. Rows become `StoredRun` here. */
import type { GitState, RunSpec } from '@teamgrid/api'
import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Guarded, TeamRules } from '../actor.ts'
import type { Database } from '../stores/postgres/schema.ts'

export type Db = Kysely<Database>

export type StoredDatastore = {
  versionId: string
  datastoreId: string
  /** Of its manifest: names the tree on a node. */
  digest: string
  owner: string
  name: string
  version: number
  mountPath: string
}

export type StoredRun = Guarded & {
  id: string
  projectId: string
  projectName: string
  teamSlug: string
  name: string
  description: string
  spec: RunSpec
  sealedEnvironment: string | null
  environmentNames: string[]
  codeSha256: string | null
  codeSizeBytes: number | null
  git: GitState | null
  datastores: StoredDatastore[]
  warnings: string[]
  clusterId: string
  clonedFrom: { id: string; name: string } | null
  createdBy: { id: string; username: string; name: string }
  via: { id: string; username: string; name: string } | null
  createdAt: Date
  endedAt: Date | null
  archivedAt: Date | null
  counts: Record<'experiments' | 'running' | 'queued' | 'completed' | 'failed' | 'stopped', number>
}

type Row = {
  id: string
  project_id: string
  project_name: string
  team_id: string
  team_slug: string
  policy_preset: string
  policy_overrides: TeamRules['policy_overrides']
  team_kind: TeamRules['kind']
  visibility: 'team' | 'private'
  project_owner_id: string | null
  name: string
  description: string
  spec: RunSpec
  sealed_environment: string | null
  environment_names: string[]
  code_sha256: string | null
  code_size: number | null
  git: GitState | null
  datastores: StoredDatastore[]
  warnings: string[]
  cluster_id: string
  source_id: string | null
  source_name: string | null
  creator_id: string
  username: string
  person: string
  via_id: string | null
  via_username: string | null
  via_name: string | null
  created_at: Date
  ended_at: Date | null
  archived_at: Date | null
  experiments: number
  running: number
  queued: number
  completed: number
  failed: number
  stopped: number
}

const count = (states: string) => sql`count(*) filter (where e.state in (${sql.raw(states)}))`

/** `r` run, `p` project, `t` team, `c` creator. Deleted runs are not there. */
export async function selectRuns(
  db: Db,
  where: RawBuilder<unknown>,
  rest: RawBuilder<unknown> = sql``,
): Promise<StoredRun[]> {
  const { rows } = await sql<Row>`
    select r.*, p.name as project_name, t.slug as team_slug, t.policy_preset, t.policy_overrides, t.kind as team_kind,
      p.visibility, p.created_by as project_owner_id, s.id as source_id, s.name as source_name,
      a.size_bytes as code_size, c.id as creator_id, c.username, c.name as person,
      v.id as via_id, v.username as via_username, v.name as via_name, n.*
    from runs r
    join projects p on p.id = r.project_id
    join teams t on t.id = r.team_id
    join users c on c.id = r.created_by
    left join users v on v.id = r.via_user_id
    left join runs s on s.id = r.cloned_from
    left join code_archives a on a.team_id = r.team_id and a.sha256 = r.code_sha256
    left join lateral (
      select count(*) as experiments, ${count(`'running', 'preempting'`)} as running, ${count(`'pending'`)} as queued,
        ${count(`'finished'`)} as completed, ${count(`'failed', 'crashed'`)} as failed,
        ${count(`'killed', 'preempted'`)} as stopped,
        case when bool_and(e.ended_at is not null) then max(e.ended_at) end as ended_at
      from run_experiments x join experiments e on e.id = x.experiment_id
      where x.run_id = r.id and e.deleted_at is null
    ) n on true
    where r.deleted_at is null and ${where} ${rest}`.execute(db)
  return rows.map(storedOf)
}

function storedOf(row: Row): StoredRun {
  return {
    id: row.id,
    teamId: row.team_id,
    teamRules: {
      policy_preset: row.policy_preset,
      policy_overrides: row.policy_overrides,
      kind: row.team_kind,
    },
    ownerId: row.creator_id,
    createdById: row.via_id,
    visibility: row.visibility,
    keptById: row.project_owner_id,
    kind: 'run',
    label: row.name,
    projectId: row.project_id,
    projectName: row.project_name,
    teamSlug: row.team_slug,
    name: row.name,
    description: row.description,
    spec: row.spec,
    sealedEnvironment: row.sealed_environment,
    environmentNames: row.environment_names,
    codeSha256: row.code_sha256,
    codeSizeBytes: row.code_size,
    git: row.git,
    datastores: row.datastores,
    warnings: row.warnings,
    clusterId: row.cluster_id,
    clonedFrom: row.source_id === null ? null : { id: row.source_id, name: row.source_name! },
    createdBy: { id: row.creator_id, username: row.username, name: row.person },
    via: row.via_id === null ? null : { id: row.via_id, username: row.via_username!, name: row.via_name! },
    createdAt: row.created_at,
    endedAt: row.ended_at,
    archivedAt: row.archived_at,
    counts: {
      experiments: row.experiments,
      running: row.running,
      queued: row.queued,
      completed: row.completed,
      failed: row.failed,
      stopped: row.stopped,
    },
  }
}

export async function findRun(db: Db, team: string, name: string): Promise<StoredRun | undefined> {
  return (await selectRuns(db, sql`lower(t.slug) = lower(${team}) and r.name = ${name}`))[0]
}

export async function findRunById(db: Db, id: string): Promise<StoredRun | undefined> {
  return (await selectRuns(db, sql`r.id = ${id}`))[0]
}

export type RunExperimentRow = {
  number: number
  experimentId: string
  arguments: string[]
  parameters: Record<string, string>
}

export async function experimentsOfRun(db: Db, runId: string): Promise<RunExperimentRow[]> {
  const rows = await db
    .selectFrom('run_experiments')
    .selectAll()
    .where('run_id', '=', runId)
    .orderBy('number')
    .execute()
  return rows.map((row) => ({
    number: row.number,
    experimentId: row.experiment_id,
    arguments: row.arguments,
    parameters: row.parameters,
  }))
}

/** The run that an experiment belongs to, and its number there. */
export async function runOfExperiment(db: Db, experimentId: string) {
  const row = await db
    .selectFrom('run_experiments')
    .select(['run_id', 'number'])
    .where('experiment_id', '=', experimentId)
    .executeTakeFirst()
  const run = row && (await findRunById(db, row.run_id))
  return row && run ? { run, number: row.number } : undefined
}

export async function findCode(db: Db, teamId: string, sha256: string) {
  return await db
    .selectFrom('code_archives')
    .select(['blob_key', 'size_bytes'])
    .where('team_id', '=', teamId)
    .where('sha256', '=', sha256)
    .executeTakeFirst()
}
