import type { ColumnType, Generated, GeneratedAlways } from 'kysely'

/** The tables as Kysely sees them; a test compares this with a migrated database. `snake_case` ends at each `store.ts`. */
export type Database = {
  instance: InstanceTable
  auth_user: AuthUserTable
  auth_session: AuthSessionTable
  auth_account: AuthAccountTable
  auth_verification: AuthVerificationTable
  auth_two_factor: AuthTwoFactorTable
  sso_settings: SsoSettingsTable
  attempts: AttemptTable
  users: UserTable
  teams: TeamTable
  memberships: MembershipTable
  invitations: InvitationTable
  team_requests: TeamRequestTable
  former_members: FormerMemberTable
  api_keys: ApiKeyTable
  projects: ProjectTable
  experiments: ExperimentTable
  experiment_addresses: ExperimentAddressTable
  fact_moves: FactMoveTable
  shared_lines: SharedLinesTable
  files: FileTable
  alerts: AlertTable
  mails: MailTable
  custom_charts: CustomChartTable
  alert_channels: AlertChannelTable
  alert_rules: AlertRuleTable
  alert_firings: AlertFiringTable
  alert_checks: AlertCheckTable
  alert_deliveries: AlertDeliveryTable
  notifications: NotificationTable
  notification_preferences: NotificationPreferenceTable
  views: ViewTable
  report_links: ReportLinkTable
  report_comments: ReportCommentTable
  report_follows: ReportFollowTable
  activity: ActivityTable
  audit_queue: AuditQueueTable
  audit_seals: AuditSealTable
  artifact_collections: ArtifactCollectionTable
  artifacts: ArtifactTable
  artifact_client_ids: ArtifactClientIdTable
  artifact_aliases: ArtifactAliasTable
  artifact_manifests: ArtifactManifestTable
  artifact_blobs: ArtifactBlobTable
  artifact_entries: ArtifactEntryTable
  artifact_uses: ArtifactUseTable
  datastores: DatastoreTable
  datastore_versions: DatastoreVersionTable
  datastore_entries: DatastoreEntryTable
  datastore_contents: DatastoreContentTable
  datastore_uploads: DatastoreUploadTable
  datastore_upload_contents: DatastoreUploadContentTable
  datastore_part_blobs: DatastorePartBlobTable
  datastore_parts: DatastorePartTable
  datastore_uses: DatastoreUseTable
  datastore_imports: DatastoreImportTable
  rates: RateTable
  ledger_accounts: LedgerAccountTable
  ledger_entries: LedgerEntryTable
  meters: MeterTable
  usage_hours: UsageHourTable
  spending_rules: SpendingRuleTable
  budgets: BudgetTable
  clusters: ClusterTable
  code_archives: CodeArchiveTable
  runs: RunTable
  run_experiments: RunExperimentTable
  compute_attempts: ComputeAttemptTable
  attempt_streams: AttemptStreamTable
  attempt_lines: AttemptLineTable
  sweeps: SweepTable
  sweep_agents: SweepAgentTable
  sweep_trials: SweepTrialTable
  artifact_links: ArtifactLinkTable
  artifact_claims: ArtifactClaimTable
  artifact_uploads: ArtifactUploadTable
  artifact_upload_parts: ArtifactUploadPartTable
  stray_blobs: StrayBlobTable
  registries: RegistryTable
  registry_members: RegistryMemberTable
}

/** Read as a Date; the database fills it when absent. */
type Instant = ColumnType<Date, Date | string | undefined, Date | string>
type InstantOrNull = ColumnType<Date | null, Date | string | null | undefined, Date | string | null>
/** Read parsed; written as JSON text. */
type Json<Value> = ColumnType<Value, string | undefined, string>
type JsonOrNull<Value> = ColumnType<Value | null, string | null | undefined, string | null>
/** `{[0,3),[5,6)}` as text. */
type Multirange = ColumnType<string, string | undefined, string>

type InstanceTable = {
  id: Generated<boolean>
  organisation_name: Generated<string>
  sign_up_open: Generated<boolean>
  secret: string
  setup_token_hash: string | null
  created_at: Instant
  policy_locks: Json<Record<string, boolean | string>>
  plan_name: Generated<string>
  seats_max: number | null
  trial_ends_at: InstantOrNull
  contact_url: string | null
  billing_user_id: string | null
  billing_info: Json<Record<string, string>>
}

type SsoSettingsTable = {
  id: Generated<boolean>
  settings: Json<Record<string, unknown>>
  secrets: Json<Record<string, string>>
  version: Generated<number>
  updated_at: Instant
}
type AttemptTable = { key: string; count: number; since: Instant }

type AuthUserTable = {
  id: string
  name: string
  email: string
  email_verified: Generated<boolean>
  image: string | null
  created_at: Instant
  updated_at: Instant
  two_factor_enabled: Generated<boolean>
}
type AuthTwoFactorTable = {
  id: string
  user_id: string
  secret: string
  backup_codes: string
  verified: Generated<boolean>
  failed_verification_count: Generated<number>
  locked_until: InstantOrNull
}
type AuthSessionTable = {
  id: string
  user_id: string
  token: string
  expires_at: Instant
  ip_address: string | null
  user_agent: string | null
  created_at: Instant
  updated_at: Instant
}
type AuthAccountTable = {
  id: string
  user_id: string
  account_id: string
  provider_id: string
  access_token: string | null
  refresh_token: string | null
  id_token: string | null
  access_token_expires_at: InstantOrNull
  refresh_token_expires_at: InstantOrNull
  scope: string | null
  password: string | null
  created_at: Instant
  updated_at: Instant
}
type AuthVerificationTable = {
  id: string
  identifier: string
  value: string
  expires_at: Instant
  created_at: Instant
  updated_at: Instant
}

type UserTable = {
  id: string
  username: string
  name: string
  email: string | null
  kind: Generated<'person' | 'service'>
  organisation_role: Generated<'admin' | 'billing' | 'member'>
  role_from_group: Generated<boolean>
  default_team_id: string | null
  disabled_at: InstantOrNull
  created_at: Instant
  default_team_before_id: string | null
  default_team_switched_at: InstantOrNull
}

type TeamTable = {
  id: string
  slug: string
  name: string
  kind: Generated<'team' | 'personal' | 'organisation'>
  personal_user_id: string | null
  policy_preset: Generated<string>
  policy_overrides: Json<Record<string, boolean | string>>
  created_by: string | null
  created_at: Instant
  new_project_visibility: Generated<'team' | 'private'>
  code_saving: Generated<boolean>
  artifact_ttl_seconds: number | null
}

type MembershipTable = {
  team_id: string
  user_id: string
  role: 'admin' | 'member' | 'viewer' | 'service'
  created_at: Instant
  from_group: Generated<boolean>
}

type InvitationTable = {
  id: string
  team_id: string
  token_hash: string
  email: string | null
  role: 'admin' | 'member' | 'viewer'
  created_by: string | null
  created_at: Instant
  expires_at: ColumnType<Date, Date, Date>
  accepted_at: InstantOrNull
  accepted_by: string | null
  revoked_at: InstantOrNull
  user_id: string | null
  sent_at: InstantOrNull
}

type TeamRequestTable = {
  id: string
  slug: string
  name: string
  reason: Generated<string>
  requested_by: string
  created_at: Instant
  decided_at: InstantOrNull
  decided_by: string | null
  granted: boolean | null
  note: Generated<string>
  team_id: string | null
}

type FormerMemberTable = { team_id: string; user_id: string; role: string; left_at: Instant }

type ApiKeyTable = {
  id: string
  user_id: string
  name: string
  secret_hash: string
  hint: string
  start: Generated<string>
  scope: Generated<string>
  created_at: Instant
  last_used_at: InstantOrNull
  revoked_at: InstantOrNull
}

type ProjectTable = {
  id: string
  number: GeneratedAlways<number>
  team_id: string
  name: string
  description: Generated<string>
  created_by: string | null
  created_at: Instant
  updated_at: Instant
  experiments_made: Generated<number>
  visibility: Generated<'team' | 'private'>
}

type ExperimentTable = {
  id: string
  project_id: string
  team_id: string
  slug: string
  name: string
  state: Generated<
    'pending' | 'running' | 'finished' | 'failed' | 'crashed' | 'killed' | 'preempting' | 'preempted'
  >
  exit_code: number | null
  created_by: string
  via_user_id: string | null
  notes: Generated<string>
  tags: Generated<string[]>
  group_name: string | null
  job_type: string | null
  sweep_name: string | null
  host: string | null
  program: string | null
  repo: string | null
  commit: string | null
  config: Json<Record<string, unknown>>
  summary: Json<Record<string, unknown>>
  created_at: Instant
  updated_at: Instant
  heartbeat_at: Instant
  ended_at: InstantOrNull
  stop_requested_at: InstantOrNull
  stop_requested_by: string | null
  branched_from: string | null
  branched_at_step: number | null
  branch_kind: 'fork' | 'rewind' | null
  inherited_summary: ColumnType<
    { summary: Record<string, unknown>; last: Record<string, unknown>; tracked: string[] } | null,
    string | undefined,
    never
  >
  deleted_at: InstantOrNull
  history_lines: Multirange
  system_lines: Multirange
  console_lines: Multirange
  rewritten: Generated<boolean>
  moved_at: InstantOrNull
  moved_by: string | null
}

type ExperimentAddressTable = {
  team_id: string
  project_id: string
  project_name: string
  slug: string
  experiment_id: string
  created_at: Instant
}
type FactMoveTable = {
  id: string
  from_project_id: string
  experiment_ids: string[]
  created_at: Instant
}

type SharedLinesTable = {
  experiment_id: string
  writer: string
  stream: 'history' | 'system' | 'console'
  first_offset: number
  first_line: number
  lines: number
}

type FileTable = {
  id: string
  experiment_id: string
  path: string
  blob_key: string
  size_bytes: number
  md5_hex: string
  sha256_hex: string
  updated_at: Instant
}

type AlertTable = {
  id: string
  team_id: string
  experiment_id: string | null
  title: string
  text: string
  level: 'info' | 'warn' | 'error'
  rule_id: string | null
  details: Json<Record<string, unknown>>
  created_at: Instant
}

type AlertChannelTable = {
  id: string
  team_id: string
  name: string
  kind: 'email' | 'slack' | 'webhook'
  target: string
  hint: string
  secret: string | null
  created_by: string | null
  created_at: Instant
}
type AlertRuleTable = {
  id: string
  team_id: string
  project_id: string | null
  owner_id: string | null
  name: string
  description: Generated<string>
  enabled: Generated<boolean>
  condition: ColumnType<unknown, string, string>
  filters: Json<unknown[]>
  audience: Generated<'nobody' | 'owner' | 'team' | 'me'>
  channel_ids: Generated<string[]>
  level: Generated<'info' | 'warn' | 'error'>
  wait_seconds: Generated<number>
  title: string | null
  message: string | null
  payload: JsonOrNull<Record<string, unknown>>
  created_by: string | null
  created_at: Instant
  updated_at: Instant
}
type AlertFiringTable = {
  rule_id: string
  experiment_id: string
  title: Generated<string>
  fired_at: Instant
}
type AlertCheckTable = {
  experiment_id: string
  state: string
  tries: Generated<number>
  next_try_at: Instant
}
type AlertDeliveryTable = {
  id: string
  team_id: string
  channel_id: string
  rule_id: string | null
  alert_id: string | null
  title: string
  body: string | null
  mail_ids: Generated<string[]>
  state: Generated<'waiting' | 'sent' | 'failed' | 'skipped'>
  tries: Generated<number>
  next_try_at: Instant
  http_status: number | null
  error: string | null
  created_at: Instant
  done_at: InstantOrNull
}
type NotificationTable = {
  id: string
  user_id: string
  team_id: string
  kind: string
  level: Generated<'info' | 'warn' | 'error'>
  title: string
  text: Generated<string>
  link: string | null
  created_at: Instant
  read_at: InstantOrNull
}
type NotificationPreferenceTable = {
  user_id: string
  preferences: Json<Record<string, { app: boolean; email: boolean }>>
}

type ViewTable = {
  id: string
  team_id: string
  project_id: string
  kind: 'report' | 'workspace' | 'experiment'
  name: string
  title: string
  description: Generated<string>
  spec: string
  draft: JsonOrNull<{ title: string; description: string; spec: string }>
  is_published: Generated<boolean>
  share: Generated<'none' | 'edit'>
  version: Generated<number>
  created_by: string
  via_user_id: string | null
  updated_by: string | null
  created_at: Instant
  updated_at: Instant
  published_at: InstantOrNull
}
type ReportLinkTable = {
  id: string
  view_id: string
  token_hash: string
  token: string
  created_by: string | null
  created_at: Instant
  revoked_at: InstantOrNull
}
type ReportCommentTable = {
  id: string
  view_id: string
  author_id: string
  text: string
  created_at: Instant
}
type ReportFollowTable = { view_id: string; user_id: string }

type MailTable = {
  id: string
  recipient: string
  content: string | null
  created_at: Instant
  next_try_at: Instant
  tries: Generated<number>
  sent_at: InstantOrNull
  failed_at: InstantOrNull
  error: string | null
}

type ActivityTable = {
  id: string
  team_id: string | null
  actor_user_id: string | null
  via: string
  action: string
  subject_kind: string
  subject_id: string
  details: Json<Record<string, unknown>>
  created_at: Instant
  address: string | null
  client: string | null
}
type AuditQueueTable = { activity_id: string }
type AuditSealTable = { chain: string; number: number; activity_id: string; hash: string }

type ArtifactCollectionTable = {
  id: string
  project_id: string
  name: string
  type: string
  kind: Generated<'sequence' | 'portfolio'>
  description: string | null
  tags: Generated<string[]>
  versions_made: Generated<number>
  created_at: Instant
  updated_at: Instant
}
type ArtifactTable = {
  id: string
  collection_id: string
  state: Generated<'pending' | 'committed' | 'deleted'>
  version_index: number | null
  digest: string
  digest_algorithm: Generated<'md5' | 'xxh128'>
  content_digest: string | null
  manifest_key: string | null
  description: string | null
  metadata: JsonOrNull<Record<string, unknown>>
  tags: Generated<string[]>
  wanted_aliases: Generated<string[]>
  ttl_seconds: number | null
  history_step: number | null
  distributed_id: string | null
  size_bytes: Generated<number>
  file_count: Generated<number>
  experiment_id: string | null
  created_by: string
  via_user_id: string | null
  created_at: Instant
  committed_at: InstantOrNull
  touched_at: Instant
}
type ArtifactClientIdTable = {
  project_id: string
  client_id: string
  collection_id: string
  artifact_id: string | null
}
type ArtifactAliasTable = { collection_id: string; alias: string; artifact_id: string }
type ArtifactManifestTable = {
  id: string
  artifact_id: string
  base_artifact_id: string | null
  name: string
  type: 'FULL' | 'PATCH' | 'INCREMENTAL'
  digest: string
  blob_key: string | null
  created_at: Instant
}
type ArtifactBlobTable = {
  project_id: string
  md5_hex: string
  blob_key: string
  size_bytes: number
  sha256_hex: string
  birth_artifact_id: string | null
  created_at: Instant
}
type ArtifactEntryTable = {
  artifact_id: string
  path: string
  digest: string
  size_bytes: number
  birth_artifact_id: string | null
  ref: string | null
  extra: JsonOrNull<Record<string, unknown>>
  content: string | null
}
type ArtifactUseTable = {
  experiment_id: string
  artifact_id: string
  used_as: string | null
  created_at: Instant
}

type CustomChartTable = {
  id: string
  team_id: string
  name: string
  display_name: string
  kind: string
  is_public: boolean
  spec: Json<Record<string, unknown>>
  created_by: string | null
  created_at: Instant
  updated_at: Instant
}

type DatastoreVisibility = 'private' | 'team' | 'organisation'
type DatastoreTable = {
  id: string
  team_id: string
  owner_id: string
  via_user_id: string | null
  name: string
  description: Generated<string>
  visibility: Generated<DatastoreVisibility>
  last_version: Generated<number>
  created_at: Instant
}
type DatastoreVersionTable = {
  id: string
  datastore_id: string
  number: number
  digest: string
  manifest_key: string
  source: Generated<string>
  file_count: number
  size_bytes: number
  created_by: string
  created_at: Instant
  deleted_at: InstantOrNull
  deleted_by: string | null
  purged_at: InstantOrNull
}
type DatastoreEntryTable = {
  version_id: string
  folder: string
  name: string
  kind: 'file' | 'link' | 'folder'
  sha256_hex: string | null
  size_bytes: Generated<number>
  file_count: Generated<number>
  executable: Generated<boolean>
  link_target: string | null
}
type DatastoreContentTable = {
  sha256_hex: string
  size_bytes: number
  blob_key: string
  start_byte: Generated<number>
  created_at: Instant
  touched_at: Instant
  damaged_at: InstantOrNull
  verified_at: InstantOrNull
}
type DatastoreUploadTable = {
  id: string
  team_id: string
  owner_id: string
  via_user_id: string | null
  for_user_id: string
  name: string
  source: Generated<string>
  visibility: DatastoreVisibility
  file_count: number | null
  size_bytes: number | null
  created_at: Instant
  expires_at: Instant
}
type DatastoreUploadContentTable = { upload_id: string; sha256_hex: string }
type DatastorePartBlobTable = { upload_id: string; sha256_hex: string; blob_key: string; token: string }
type DatastoreImportTable = {
  id: string
  team_id: string
  owner_id: string
  via_user_id: string | null
  client: string
  name: string
  source: string
  sealed_source: string | null
  state: Generated<'waiting' | 'fetching' | 'unpacking' | 'storing' | 'done' | 'failed'>
  done_bytes: Generated<number>
  of_bytes: number | null
  file_count: Generated<number>
  error: string | null
  datastore_id: string | null
  version: number | null
  created_at: Instant
  changed_at: Instant
}
type DatastoreUseTable = {
  id: string
  version_id: string
  kind: 'run' | 'experiment' | 'session'
  used_by_id: string
  label: string
  team_id: string
  owner_id: string
  is_private: Generated<boolean>
  started_at: Instant
  ended_at: InstantOrNull
}
type DatastorePartTable = {
  upload_id: string
  sha256_hex: string
  number: number
  size_bytes: number
  proof: string
}

type SweepTable = {
  id: string
  project_id: string
  team_id: string
  slug: string
  name: string | null
  description: string | null
  state: Generated<'pending' | 'running' | 'paused' | 'finished' | 'cancelled'>
  config: Json<Record<string, unknown>>
  config_text: string
  seed: number
  controller: Json<Record<string, unknown>>
  exhausted_at: InstantOrNull
  created_by: string
  via_user_id: string | null
  created_at: Instant
  updated_at: Instant
  heartbeat_at: InstantOrNull
  ended_at: InstantOrNull
}
type SweepAgentTable = {
  id: string
  sweep_id: string
  number: number
  host: string
  user_id: string
  via_user_id: string | null
  state: Generated<'running' | 'finished' | 'crashed'>
  created_at: Instant
  heartbeat_at: Instant
  ended_at: InstantOrNull
}
type SweepTrialTable = {
  sweep_id: string
  number: number
  params: Json<Record<string, unknown>>
  state: 'waiting' | 'handed' | 'dropped'
  slug: string | null
  experiment_id: string | null
  agent_id: string | null
  schedule_id: string | null
  handed_count: Generated<number>
  lost_count: Generated<number>
  created_at: Instant
  handed_at: InstantOrNull
  reported_at: InstantOrNull
}

type ArtifactLinkTable = {
  collection_id: string
  artifact_id: string
  version_index: number
  linked_by: string | null
  created_at: Instant
}
type ArtifactClaimTable = { artifact_id: string; project_id: string; content: string }
type ArtifactUploadTable = {
  id: string
  artifact_id: string
  content: string
  created_at: Instant
  blob_key: string
  parts_token: string
  part_bytes: number | null
}
type ArtifactUploadPartTable = {
  upload_id: string
  part_number: number
  md5_hex: string
  size_bytes: number
  proofs: Generated<string[]>
  waiting_key: string | null
}
type StrayBlobTable = { blob_key: string; remove_after: Instant; parts_token: string | null }
type RegistryTable = {
  project_id: string
  visibility: 'organisation' | 'restricted'
  types: Generated<string[]>
  all_types: Generated<boolean>
}
type RegistryMemberTable = {
  project_id: string
  user_id: string | null
  team_id: string | null
  role: 'admin' | 'member' | 'viewer'
}

type RateTable = {
  id: string
  cluster: string | null
  machine: string
  is_spot: boolean
  microcredits_per_hour: number
  valid_from: Instant
  created_by: string | null
  created_at: Instant
}
type LedgerAccountTable = {
  id: string
  kind: 'team' | 'issued' | 'consumed'
  team_id: string | null
  microcredits: Generated<number>
}
type LedgerEntryTable = {
  number: GeneratedAlways<number>
  transfer_id: string
  account_id: string
  microcredits: number
  reason: 'credit' | 'usage' | 'adjustment'
  note: Generated<string>
  created_by: string | null
  created_at: Instant
}
type MeterTable = {
  id: string
  attempt_id: string
  kind: 'experiment' | 'session' | 'service'
  team_id: string
  user_id: string
  project_id: string | null
  subject_id: string
  subject_name: string
  cluster: string
  machine: string
  is_spot: boolean
  cpus: number
  gpus: number
  microcredits_per_hour: number
  started_at: Instant
  metered_until: Instant
  ended_at: InstantOrNull
  is_settled: Generated<boolean>
  microcredits: Generated<number>
}
type UsageHourTable = {
  meter_id: string
  hour: Instant
  team_id: string
  seconds: number
  microcredits: number
}
type SpendingRuleTable = {
  team_id: string
  when_empty: 'warn' | 'pause' | 'stop' | null
  low_microcredits: Generated<number>
  told_low: Generated<boolean>
  told_empty: Generated<boolean>
}
type BudgetTable = {
  id: string
  team_id: string
  user_id: string | null
  project_id: string | null
  period: 'month' | 'quarter' | 'none'
  microcredits: number
  notice_percents: Generated<number[]>
  is_hard: Generated<boolean>
  told_period: Generated<string>
  told_percent: Generated<number>
  created_by: string | null
  created_at: Instant
}

type ClusterTable = {
  id: string
  team_id: string | null
  name: string
  kind: 'local' | 'slurm'
  settings: Json<Record<string, unknown>>
  sealed_secrets: string | null
  created_by: string | null
  created_at: Instant
  deleted_at: InstantOrNull
}

type CodeArchiveTable = {
  team_id: string
  sha256: string
  size_bytes: number
  blob_key: string
  created_by: string | null
  created_at: Instant
}

type RunTable = {
  id: string
  project_id: string
  team_id: string
  name: string
  description: Generated<string>
  spec: Json<Record<string, unknown>>
  sealed_environment: string | null
  environment_names: Generated<string[]>
  code_sha256: string | null
  git: JsonOrNull<Record<string, unknown>>
  datastores: Json<unknown[]>
  warnings: Json<string[]>
  cluster_id: string
  cloned_from: string | null
  created_by: string
  via_user_id: string | null
  created_at: Instant
  archived_at: InstantOrNull
  deleted_at: InstantOrNull
}

type RunExperimentTable = {
  run_id: string
  number: number
  experiment_id: string
  arguments: Json<string[]>
  parameters: Json<Record<string, string>>
}

export type AttemptStateColumn =
  | 'created'
  | 'submitting'
  | 'queued'
  | 'starting'
  | 'building'
  | 'running'
  | 'stopping'
  | 'syncing'
  | 'succeeded'
  | 'failed'
  | 'stopped'
  | 'timeout'
  | 'oom'
  | 'preempted'
  | 'lost'
  | 'rejected'

type ComputeAttemptTable = {
  id: string
  kind: 'experiment' | 'session' | 'service'
  owner_id: string
  team_id: string
  user_id: string
  cluster_id: string
  number: number
  state: AttemptStateColumn
  message: Generated<string>
  spec: Json<Record<string, unknown>>
  ref: string | null
  node: string | null
  boot_hash: string | null
  token_hash: string | null
  key_id: string | null
  created_at: Instant
  submitted_at: InstantOrNull
  started_at: InstantOrNull
  running_at: InstantOrNull
  ended_at: InstantOrNull
  heartbeat_at: InstantOrNull
  stop_requested_at: InstantOrNull
  stop_reason: string | null
  stop_sent_at: InstantOrNull
  kill_sent_at: InstantOrNull
  absent_count: Generated<number>
  exit_code: number | null
  reported: JsonOrNull<Record<string, unknown>>
  reported_at: InstantOrNull
  forgotten_at: InstantOrNull
}

type AttemptStreamTable = {
  attempt_id: string
  name: string
  size_bytes: Generated<number>
  next_line: Generated<number>
  rest: Generated<Buffer>
  is_complete: Generated<boolean>
}

type AttemptLineTable = {
  attempt_id: string
  number: number
  at: Instant
  text: string
}
