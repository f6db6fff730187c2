-- People, teams, permission, projects, experiments, files, artifacts. Ids are UUID version 7 made by the server.

create table instance (
  id boolean primary key default true check (id),
  organisation_name text not null default 'My organisation',
  sign_up_open boolean not null default false,
  -- Signs blob urls and sessions; made at first start.
  secret text not null,
  -- Hash of the one-time link with which the first person becomes organisation admin; null once used.
  setup_token_hash text,
  created_at timestamptz not null default now()
);

-- Sign-in (better-auth): passwords and browser sessions. A service account has no row here, so it cannot sign in.
create table auth_user (
  id text primary key,
  name text not null,
  email text not null unique,
  email_verified boolean not null default false,
  image text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create table auth_session (
  id text primary key,
  user_id text not null references auth_user (id) on delete cascade,
  token text not null unique,
  expires_at timestamptz not null,
  ip_address text,
  user_agent text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index auth_session_user on auth_session (user_id);
create table auth_account (
  id text primary key,
  user_id text not null references auth_user (id) on delete cascade,
  account_id text not null,
  provider_id text not null,
  access_token text,
  refresh_token text,
  id_token text,
  access_token_expires_at timestamptz,
  refresh_token_expires_at timestamptz,
  scope text,
  password text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index auth_account_user on auth_account (user_id);
create table auth_verification (
  id text primary key,
  identifier text not null,
  value text not null,
  expires_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index auth_verification_identifier on auth_verification (identifier);

create table users (
  id uuid primary key,
  username text not null,
  name text not null,
  email text,
  kind text not null default 'person' check (kind in ('person', 'service')),
  organisation_role text not null default 'member' check (organisation_role in ('admin', 'billing', 'member')),
  default_team_id uuid,
  disabled_at timestamptz,
  created_at timestamptz not null default now()
);
create unique index users_username on users (lower(username));
create unique index users_email on users (lower(email)) where email is not null;

create table teams (
  id uuid primary key,
  -- Goes into urls and client settings, so it never changes. Shares one name space with usernames.
  slug text not null,
  name text not null,
  kind text not null default 'team' check (kind in ('team', 'personal')),
  personal_user_id uuid unique references users (id),
  policy_preset text not null default 'default',
  policy_overrides jsonb not null default '{}',
  created_by uuid references users (id),
  created_at timestamptz not null default now()
);
create unique index teams_slug on teams (lower(slug));
alter table users add foreign key (default_team_id) references teams (id);

create table memberships (
  team_id uuid not null references teams (id) on delete cascade,
  user_id uuid not null references users (id) on delete cascade,
  role text not null check (role in ('admin', 'member', 'viewer', 'service')),
  created_at timestamptz not null default now(),
  primary key (team_id, user_id)
);
create index memberships_user on memberships (user_id);

create table invitations (
  id uuid primary key,
  team_id uuid not null references teams (id) on delete cascade,
  token_hash text not null unique,
  email text,
  role text not null check (role in ('admin', 'member', 'viewer')),
  created_by uuid references users (id),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  accepted_at timestamptz,
  accepted_by uuid references users (id),
  revoked_at timestamptz
);
create index invitations_team on invitations (team_id);

create table api_keys (
  id uuid primary key,
  user_id uuid not null references users (id) on delete cascade,
  name text not null,
  -- SHA-256 of the whole key. The secret has 200 bits, so a slow hash would add cost to every request and no safety.
  secret_hash text not null unique,
  -- The last four characters, to tell keys apart in a list.
  hint text not null,
  scope text not null default 'user',
  created_at timestamptz not null default now(),
  last_used_at timestamptz,
  revoked_at timestamptz
);
create index api_keys_user on api_keys (user_id);

create table projects (
  id uuid primary key,
  -- The wandb client wants an integer for some calls.
  number bigint generated always as identity unique,
  team_id uuid not null references teams (id) on delete cascade,
  name text not null,
  description text not null default '',
  created_by uuid references users (id),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- Counts experiments ever made, for readable names such as `swift-otter-12`.
  experiments_made integer not null default 0
);
create unique index projects_name on projects (team_id, lower(name));

create table experiments (
  id uuid primary key,
  project_id uuid not null references projects (id) on delete cascade,
  team_id uuid not null references teams (id),
  -- What the script or the client calls it; unique in its project, goes into urls.
  slug text not null,
  name text not null,
  state text not null default 'running'
    check (state in ('pending', 'running', 'finished', 'failed', 'crashed', 'killed', 'preempting', 'preempted')),
  exit_code integer,
  created_by uuid not null references users (id),
  -- The service account that acted for `created_by`, if any.
  via_user_id uuid references users (id),
  notes text not null default '',
  tags text[] not null default '{}',
  group_name text,
  job_type text,
  sweep_name text,
  host text,
  program text,
  repo text,
  commit text,
  config jsonb not null default '{}',
  summary jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  heartbeat_at timestamptz not null default now(),
  ended_at timestamptz,
  stop_requested_at timestamptz,
  stop_requested_by uuid references users (id),
  deleted_at timestamptz,
  -- Which lines of each stream are stored; a line that arrives twice is told from a new one by these.
  history_lines int8multirange not null default '{}',
  system_lines int8multirange not null default '{}',
  console_lines int8multirange not null default '{}',
  -- Set when a stored line was sent again, so that reading skips what was replaced.
  rewritten boolean not null default false
);
create unique index experiments_slug on experiments (project_id, slug) where deleted_at is null;
create index experiments_project on experiments (project_id, created_at desc);
create index experiments_live on experiments (heartbeat_at) where state in ('running', 'preempting') and deleted_at is null;
create index experiments_creator on experiments (created_by, created_at desc);
create index experiments_team on experiments (team_id, created_at desc);

create table files (
  id uuid primary key,
  experiment_id uuid not null references experiments (id) on delete cascade,
  path text not null,
  blob_key text not null,
  size_bytes bigint not null,
  md5_hex text not null,
  sha256_hex text not null,
  updated_at timestamptz not null default now(),
  unique (experiment_id, path)
);

create table alerts (
  id uuid primary key,
  team_id uuid not null references teams (id) on delete cascade,
  experiment_id uuid references experiments (id) on delete cascade,
  title text not null,
  text text not null,
  level text not null check (level in ('info', 'warn', 'error')),
  created_at timestamptz not null default now()
);
create index alerts_team on alerts (team_id, created_at desc);
create index alerts_experiment on alerts (experiment_id, title, created_at desc);

create table activity (
  id uuid primary key,
  team_id uuid references teams (id) on delete cascade,
  actor_user_id uuid references users (id),
  -- `cookie`, `key:<id>`, `operator`.
  via text not null,
  action text not null,
  subject_kind text not null,
  subject_id text not null,
  details jsonb not null default '{}',
  created_at timestamptz not null default now()
);
create index activity_team on activity (team_id, created_at desc);

-- Artifacts: type → collection → version. Content is stored once per digest and project.
create table artifact_collections (
  id uuid primary key,
  project_id uuid not null references projects (id) on delete cascade,
  name text not null,
  type text not null,
  kind text not null default 'sequence' check (kind in ('sequence', 'portfolio')),
  description text,
  versions_made integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (project_id, name)
);

create table artifacts (
  id uuid primary key,
  collection_id uuid not null references artifact_collections (id) on delete cascade,
  state text not null default 'pending' check (state in ('pending', 'committed', 'deleted')),
  version_index integer,
  -- The client's digest of what it sent, returned unchanged; `content_digest` is ours, of the whole merged content.
  digest text not null,
  content_digest text,
  -- Blob with the merged manifest, once committed.
  manifest_key text,
  description text,
  metadata jsonb,
  tags text[] not null default '{}',
  -- Aliases asked for at creation, given when the version is committed.
  wanted_aliases text[] not null default '{}',
  ttl_seconds bigint,
  history_step bigint,
  distributed_id text,
  size_bytes bigint not null default 0,
  file_count integer not null default 0,
  experiment_id uuid references experiments (id) on delete set null,
  created_by uuid not null references users (id),
  -- The service account that acted for `created_by`, if any.
  via_user_id uuid references users (id),
  created_at timestamptz not null default now(),
  committed_at timestamptz
);
create unique index artifacts_version on artifacts (collection_id, version_index);
-- Several writers of one version find each other by this name while it is being made.
create unique index artifacts_distributed on artifacts (collection_id, distributed_id) where state = 'pending';
create index artifacts_experiment on artifacts (experiment_id);

-- What clients call versions (`clientID`) and collections (`sequenceClientID`) before they know our ids. Sending a name
-- again finds the same thing; several names may lead to one. Per project, so that nobody can take another team's name.
create table artifact_client_ids (
  project_id uuid not null references projects (id) on delete cascade,
  client_id text not null,
  collection_id uuid not null references artifact_collections (id) on delete cascade,
  -- Null when it is the name of a collection.
  artifact_id uuid references artifacts (id) on delete cascade,
  primary key (project_id, client_id)
);
create index artifact_client_ids_client on artifact_client_ids (client_id);

create table artifact_aliases (
  collection_id uuid not null references artifact_collections (id) on delete cascade,
  alias text not null,
  artifact_id uuid not null references artifacts (id) on delete cascade,
  primary key (collection_id, alias)
);
create index artifact_aliases_artifact on artifact_aliases (artifact_id);

create table artifact_manifests (
  id uuid primary key,
  artifact_id uuid not null references artifacts (id) on delete cascade,
  base_artifact_id uuid references artifacts (id),
  name text not null,
  type text not null check (type in ('FULL', 'PATCH', 'INCREMENTAL')),
  digest text not null,
  blob_key text,
  created_at timestamptz not null default now()
);
create index artifact_manifests_artifact on artifact_manifests (artifact_id);

-- Content known in a project, by MD5 as the client names it; several versions share one.
create table artifact_blobs (
  project_id uuid not null references projects (id) on delete cascade,
  md5_hex text not null,
  blob_key text not null,
  size_bytes bigint not null,
  sha256_hex text not null,
  birth_artifact_id uuid references artifacts (id) on delete set null,
  created_at timestamptz not null default now(),
  primary key (project_id, md5_hex)
);

-- The manifest of a committed version, one row a file.
create table artifact_entries (
  artifact_id uuid not null references artifacts (id) on delete cascade,
  path text not null,
  digest text not null,
  size_bytes bigint not null,
  birth_artifact_id uuid,
  ref text,
  extra jsonb,
  primary key (artifact_id, path)
);

create table artifact_uses (
  experiment_id uuid not null references experiments (id) on delete cascade,
  artifact_id uuid not null references artifacts (id) on delete cascade,
  used_as text,
  created_at timestamptz not null default now(),
  primary key (experiment_id, artifact_id)
);
