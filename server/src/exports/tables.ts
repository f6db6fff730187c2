/**
 * Which rows a team owns: every table that goes into an export, in an order in which they can be put back, and the
 * condition that picks the team's rows. An import checks with the same conditions that nothing in an archive belongs to
 * anybody else.
 *
 * What stays behind stands in `leftOut`, each with its reason.
 */
import { type RawBuilder, sql } from 'kysely'

/** `projectOwnerId`: who exports sees, of private projects, only their own; undefined: all. */
export type Scope = { teamId: string; projectOwnerId?: string | null; withAudit: boolean }

export type ExportTable = {
  name: string
  where: (scope: Scope) => RawBuilder<unknown>
  /** Columns that stay behind. */
  without?: readonly string[]
  /** What stands in columns that leave otherwise than they are. */
  shown?: (scope: Scope) => Record<string, RawBuilder<unknown>>
  /** What is put into columns that stayed behind; `r` is the row that came. */
  arriving?: Record<string, RawBuilder<unknown>>
  order: string
}

const projects = ({ teamId, projectOwnerId }: Scope) =>
  projectOwnerId === undefined
    ? sql`select id from projects where team_id = ${teamId}`
    : sql`select id from projects where team_id = ${teamId} and (visibility = 'team' or created_by = ${projectOwnerId})`
const experiments = (scope: Scope) =>
  sql`select id from experiments where project_id in (${projects(scope)}) and deleted_at is null`
const collections = (scope: Scope) =>
  sql`select id from artifact_collections where project_id in (${projects(scope)})`
const artifacts = (scope: Scope) =>
  sql`select id from artifacts where collection_id in (${collections(scope)}) and state = 'committed'`
const sweeps = (scope: Scope) => sql`select id from sweeps where project_id in (${projects(scope)})`
const inTeam = ({ teamId }: Scope) => sql`t.team_id = ${teamId}`
const ofProjects = (scope: Scope) => sql`t.project_id in (${projects(scope)})`
const ofExperiments = (scope: Scope) => sql`t.experiment_id in (${experiments(scope)})`
const datastores = ({ teamId, projectOwnerId }: Scope) =>
  projectOwnerId === undefined
    ? sql`select id from datastores where team_id = ${teamId}`
    : sql`select id from datastores where team_id = ${teamId} and (visibility != 'private' or owner_id = ${projectOwnerId})`
const datastoreVersions = (scope: Scope) =>
  sql`select id from datastore_versions where datastore_id in (${datastores(scope)}) and deleted_at is null`
const runs = (scope: Scope) =>
  sql`select id from runs where project_id in (${projects(scope)}) and deleted_at is null`
/** The server's own machine, which every server has under this id. */
const ownCluster = sql`'00000000-0000-7000-8000-000000000001'::uuid`
const clusterOf = ({ teamId }: Scope) => ({
  cluster_id: sql`case when t.cluster_id in (select id from clusters where team_id = ${teamId})
    then t.cluster_id else ${ownCluster} end`,
})
/** What has not ended runs here and nowhere else. */
const attempts = (scope: Scope) =>
  sql`select id from compute_attempts where team_id = ${scope.teamId} and ended_at is not null
    and (${scope.projectOwnerId === undefined}::boolean or owner_id in (${experiments(scope)}))`
/** Drafts are their writers'. */
const views = (scope: Scope) =>
  sql`select id from views where project_id in (${projects(scope)}) and (is_published
    or ${scope.projectOwnerId === undefined}::boolean or created_by = ${scope.projectOwnerId ?? null})`
/** Rules of people are theirs; who sees the whole audit log takes them along for everybody. */
const rules = (scope: Scope) =>
  sql`select id from alert_rules where team_id = ${scope.teamId}
    and (project_id is null or project_id in (${projects(scope)}))
    and (owner_id is null or ${scope.projectOwnerId === undefined}::boolean or owner_id = ${scope.projectOwnerId ?? null})`
const mine = (scope: Scope, column: RawBuilder<unknown>) =>
  sql`(${scope.projectOwnerId === undefined}::boolean or ${column} = ${scope.projectOwnerId ?? null})`
const ofArtifacts = (scope: Scope) => sql`t.artifact_id in (${artifacts(scope)})`

export const tables: readonly ExportTable[] = [
  { name: 'teams', where: ({ teamId }) => sql`t.id = ${teamId}`, order: 'id' },
  { name: 'memberships', where: inTeam, order: 'user_id' },
  { name: 'former_members', where: inTeam, order: 'user_id' },
  // The new server counts for itself.
  { name: 'projects', where: (scope) => sql`t.id in (${projects(scope)})`, without: ['number'], order: 'id' },
  { name: 'custom_charts', where: inTeam, order: 'id' },
  { name: 'sweeps', where: ofProjects, order: 'id' },
  { name: 'sweep_agents', where: (scope) => sql`t.sweep_id in (${sweeps(scope)})`, order: 'id' },
  {
    name: 'sweep_trials',
    where: (scope) => sql`t.sweep_id in (${sweeps(scope)})`,
    order: 'sweep_id, number',
  },
  { name: 'experiments', where: (scope) => sql`t.id in (${experiments(scope)})`, order: 'id' },
  // Their credentials open doors; who gets them back enters them again.
  { name: 'clusters', where: inTeam, without: ['sealed_secrets'], order: 'id' },
  {
    name: 'code_archives',
    where: (scope) => sql`t.team_id = ${scope.teamId} and (${scope.projectOwnerId === undefined}::boolean
      or t.sha256 in (select code_sha256 from runs where id in (${runs(scope)})))`,
    order: 'sha256',
  },
  {
    name: 'runs',
    where: (scope) => sql`t.id in (${runs(scope)})`,
    without: ['sealed_environment'],
    shown: clusterOf,
    order: 'id',
  },
  {
    name: 'run_experiments',
    where: (scope) => sql`t.run_id in (${runs(scope)}) and t.experiment_id in (${experiments(scope)})`,
    order: 'run_id, number',
  },
  {
    name: 'compute_attempts',
    where: (scope) => sql`t.id in (${attempts(scope)})`,
    without: ['boot_hash', 'token_hash', 'key_id'],
    shown: clusterOf,
    order: 'id',
  },
  {
    name: 'attempt_streams',
    where: (scope) => sql`t.attempt_id in (${attempts(scope)})`,
    order: 'attempt_id, name',
  },
  {
    name: 'attempt_lines',
    where: (scope) => sql`t.attempt_id in (${attempts(scope)})`,
    order: 'attempt_id, number',
  },
  { name: 'shared_lines', where: ofExperiments, order: 'experiment_id, writer, stream, first_offset' },
  {
    name: 'experiment_addresses',
    where: (scope) => sql`t.team_id = ${scope.teamId} and t.experiment_id in (${experiments(scope)})`,
    order: 'project_id, slug',
  },
  { name: 'files', where: ofExperiments, order: 'experiment_id, path' },
  {
    name: 'alert_channels',
    where: inTeam,
    // Where it leads and what signs it open doors; who gets it back enters them again.
    without: ['target', 'secret'],
    arriving: { target: sql`''` },
    order: 'id',
  },
  { name: 'alert_rules', where: (scope) => sql`t.id in (${rules(scope)})`, order: 'id' },
  {
    name: 'alert_firings',
    where: (scope) => sql`t.rule_id in (${rules(scope)}) and t.experiment_id in (${experiments(scope)})`,
    order: 'rule_id, experiment_id',
  },
  {
    name: 'alerts',
    where: (scope) => sql`t.team_id = ${scope.teamId} and (t.experiment_id in (${experiments(scope)})
      or (t.experiment_id is null and ${scope.projectOwnerId === undefined}::boolean))`,
    order: 'id',
  },
  {
    name: 'alert_deliveries',
    where: (scope) =>
      sql`t.team_id = ${scope.teamId} and t.state <> 'waiting' and ${scope.withAudit}::boolean`,
    without: ['body', 'mail_ids'],
    order: 'id',
  },
  {
    name: 'notifications',
    where: (scope) => sql`t.team_id = ${scope.teamId} and ${mine(scope, sql`t.user_id`)}`,
    order: 'id',
  },
  {
    name: 'views',
    where: (scope) => sql`t.id in (${views(scope)})`,
    shown: (scope) => ({ draft: sql`case when ${mine(scope, sql`t.created_by`)} then t.draft end` }),
    order: 'id',
  },
  { name: 'report_comments', where: (scope) => sql`t.view_id in (${views(scope)})`, order: 'id' },
  {
    name: 'report_follows',
    where: (scope) => sql`t.view_id in (${views(scope)}) and ${mine(scope, sql`t.user_id`)}`,
    order: 'view_id, user_id',
  },
  { name: 'artifact_collections', where: ofProjects, order: 'id' },
  {
    name: 'artifacts',
    where: (scope) => sql`t.id in (${artifacts(scope)})`,
    order: 'id',
  },
  {
    name: 'artifact_client_ids',
    where: (scope) => sql`t.collection_id in (${collections(scope)})
      and (t.artifact_id is null or t.artifact_id in (${artifacts(scope)}))`,
    order: 'project_id, client_id',
  },
  { name: 'artifact_aliases', where: ofArtifacts, order: 'collection_id, alias' },
  {
    name: 'artifact_manifests',
    where: (scope) => sql`t.artifact_id in (${artifacts(scope)})
      and (t.base_artifact_id is null or t.base_artifact_id in (${artifacts(scope)}))`,
    order: 'id',
  },
  { name: 'artifact_blobs', where: ofProjects, order: 'project_id, md5_hex' },
  { name: 'artifact_entries', where: ofArtifacts, order: 'artifact_id, path' },
  {
    name: 'artifact_uses',
    where: (scope) =>
      sql`t.experiment_id in (${experiments(scope)}) and t.artifact_id in (${artifacts(scope)})`,
    order: 'experiment_id, artifact_id',
  },
  {
    // Links into registries are the organisation's.
    name: 'artifact_links',
    where: (scope) =>
      sql`t.collection_id in (${collections(scope)}) and t.artifact_id in (${artifacts(scope)})`,
    order: 'collection_id, version_index',
  },
  {
    name: 'activity',
    where: (scope) => (scope.withAudit ? sql`t.team_id = ${scope.teamId}` : sql`false`),
    order: 'id',
  },
  {
    name: 'audit_seals',
    where: (scope) => (scope.withAudit ? sql`t.chain = ${scope.teamId}` : sql`false`),
    order: 'chain, number',
  },
  {
    // So that the audit log can still name them. They open nothing: their secrets stay behind.
    name: 'api_keys',
    where: (scope) => sql`${scope.withAudit}::boolean and (
      t.user_id in (select user_id from memberships where team_id = ${scope.teamId} and role = 'service')
      or 'key:' || t.id in (select via from activity where team_id = ${scope.teamId}))`,
    without: ['secret_hash'],
    arriving: {
      secret_hash: sql`'left behind ' || r.id`,
      revoked_at: sql`coalesce(r.revoked_at, now())`,
    },
    order: 'id',
  },
  { name: 'datastores', where: (scope) => sql`t.id in (${datastores(scope)})`, order: 'id' },
  { name: 'datastore_versions', where: (scope) => sql`t.id in (${datastoreVersions(scope)})`, order: 'id' },
  {
    name: 'datastore_entries',
    where: (scope) => sql`t.version_id in (${datastoreVersions(scope)})`,
    order: 'version_id, folder, name',
  },
  { name: 'budgets', where: inTeam, order: 'id' },
  { name: 'spending_rules', where: inTeam, order: 'team_id' },
  {
    // What still runs is not over, and runs nowhere else.
    name: 'meters',
    where: (scope) => sql`t.team_id = ${scope.teamId} and t.is_settled and ${scope.withAudit}::boolean`,
    order: 'id',
  },
  {
    name: 'usage_hours',
    where: (scope) => sql`t.team_id = ${scope.teamId} and ${scope.withAudit}::boolean
      and t.meter_id in (select id from meters where team_id = ${scope.teamId} and is_settled)`,
    order: 'meter_id, hour',
  },
]

const isUnderWay = 'under way; what has arrived is in the tables it arrives in'
const isSecret = 'opens doors'
const isOfServer = 'of the server, not of a team'
const isOfOrganisation = 'of the organisation, not of a team'

/** Every other table of the database, and why no export holds it. */
export const leftOut: Readonly<Record<string, string>> = {
  users: 'a file of its own, of whom the other rows name',
  schema_migrations: isOfServer,
  instance: isOfServer,
  sso_settings: isOfServer,
  attempts: isOfServer,
  mails: isUnderWay,
  audit_queue: isUnderWay,
  fact_moves: isUnderWay,
  alert_checks: isUnderWay,
  stray_blobs: isUnderWay,
  artifact_claims: isUnderWay,
  artifact_uploads: isUnderWay,
  artifact_upload_parts: isUnderWay,
  datastore_uploads: isUnderWay,
  datastore_imports: isUnderWay,
  datastore_upload_contents: isUnderWay,
  datastore_part_blobs: isUnderWay,
  datastore_parts: isUnderWay,
  datastore_contents: 'the bytes are in contents/ by their SHA-256; where they lie is each server’s own',
  datastore_uses: 'work that holds a version at this moment; none of it runs elsewhere',
  auth_user: isSecret,
  auth_session: isSecret,
  auth_account: isSecret,
  auth_verification: isSecret,
  auth_two_factor: isSecret,
  invitations: isSecret,
  report_links: isSecret,
  team_requests: isOfOrganisation,
  registries: isOfOrganisation,
  registry_members: isOfOrganisation,
  rates: isOfOrganisation,
  ledger_accounts: 'the books of the organisation, which must add up; credits do not move between servers',
  ledger_entries: 'the books of the organisation, which must add up; credits do not move between servers',
  notification_preferences: 'of a person, in all their teams',
}

/** References that may lead out of the team; what is not there is left empty. */
export const looseColumns: Record<string, Record<string, (scope: Scope) => RawBuilder<unknown>>> = {
  artifacts: { experiment_id: experiments },
  runs: { cloned_from: runs },
  alerts: { rule_id: rules },
  alert_deliveries: { rule_id: rules },
  artifact_blobs: { birth_artifact_id: artifacts },
  artifact_entries: { birth_artifact_id: artifacts },
}

/** Columns that name what lies in the blob store. */
export const blobColumns: Record<string, string> = {
  files: 'blob_key',
  artifacts: 'manifest_key',
  artifact_manifests: 'blob_key',
  artifact_blobs: 'blob_key',
  datastore_versions: 'manifest_key',
  code_archives: 'blob_key',
}

/** Columns that say what the bytes must be. */
export const digestColumns: Record<string, string> = {
  files: 'sha256_hex',
  artifact_blobs: 'sha256_hex',
  code_archives: 'sha256',
}

/** What a person takes along: who they are, and nothing that opens a door. */
export const userColumns = ['id', 'username', 'name', 'email', 'kind', 'disabled_at', 'created_at'] as const
