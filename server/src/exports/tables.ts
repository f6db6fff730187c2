/**
 * Which rows a team owns: every table that goes into an export, in an order in which they can be put back, and the
 * condition that picks the team's rows. An import checks with the same conditions that nothing in an archive belongs to
 * anybody else.
 *
 * Left out: keys, passwords, invitations and alert channels, which are secrets; uploads and mails under way; what each
 * person set for themselves. Datastores are listed, without their bytes and not put back.
 */
import { type RawBuilder, sql } from 'kysely'

/** `projectOwnerId`: who exports sees, of private projects, only their own; undefined: all. */
export type Scope = { teamId: string; projectOwnerId?: string | null; withAudit: boolean }

export type ExportTable = {
  name: string
  where: (scope: Scope) => RawBuilder<unknown>
  /** Columns that are not put back. */
  without?: readonly string[]
  order: string
  /** Only listed. */
  isListOnly?: true
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
  { name: 'shared_lines', where: ofExperiments, order: 'experiment_id, writer, stream, first_offset' },
  {
    name: 'experiment_addresses',
    where: (scope) => sql`t.team_id = ${scope.teamId} and t.experiment_id in (${experiments(scope)})`,
    order: 'project_id, slug',
  },
  { name: 'files', where: ofExperiments, order: 'experiment_id, path' },
  {
    name: 'alerts',
    where: (scope) => sql`t.team_id = ${scope.teamId} and t.experiment_id in (${experiments(scope)})`,
    order: 'id',
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
    name: 'datastores',
    where: (scope) => sql`t.team_id = ${scope.teamId} and (t.visibility != 'private'
      or ${scope.projectOwnerId === undefined}::boolean or t.owner_id = ${scope.projectOwnerId ?? null})`,
    order: 'id',
    isListOnly: true,
  },
  {
    name: 'datastore_versions',
    where: (scope) => sql`t.datastore_id in (select id from datastores t where t.team_id = ${scope.teamId}
      and (t.visibility != 'private' or ${scope.projectOwnerId === undefined}::boolean or t.owner_id = ${scope.projectOwnerId ?? null}))
      and t.deleted_at is null`,
    order: 'id',
    isListOnly: true,
  },
]

/** References that may lead out of the team; what is not there is left empty. */
export const looseColumns: Record<string, Record<string, (scope: Scope) => RawBuilder<unknown>>> = {
  artifacts: { experiment_id: experiments },
  artifact_blobs: { birth_artifact_id: artifacts },
  artifact_entries: { birth_artifact_id: artifacts },
}

/** Columns that name what lies in the blob store. */
export const blobColumns: Record<string, string> = {
  files: 'blob_key',
  artifacts: 'manifest_key',
  artifact_manifests: 'blob_key',
  artifact_blobs: 'blob_key',
}

/** What a person takes along: who they are, and nothing that opens a door. */
export const userColumns = ['id', 'username', 'name', 'email', 'kind', 'disabled_at', 'created_at'] as const
