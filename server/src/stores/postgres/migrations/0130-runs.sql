-- Where attempts run. The machine of the server itself belongs to no team and may be used by all.
create table clusters (
  id uuid primary key,
  team_id uuid references teams (id) on delete cascade,
  name text not null,
  kind text not null check (kind in ('local', 'slurm')),
  settings jsonb not null default '{}',
  -- Credentials; sealed to `cluster:<id>` and never read out again.
  sealed_secrets text,
  created_by uuid references users (id),
  created_at timestamptz not null default now(),
  deleted_at timestamptz
);
create unique index clusters_name on clusters (coalesce(team_id, '00000000-0000-0000-0000-000000000000'), lower(name))
  where deleted_at is null;
insert into clusters (id, name, kind) values ('00000000-0000-7000-8000-000000000001', 'local', 'local');

-- Archives of code that were submitted, by what they hold.
create table code_archives (
  team_id uuid not null references teams (id) on delete cascade,
  sha256 text not null,
  size_bytes bigint not null,
  blob_key text not null,
  created_by uuid references users (id),
  created_at timestamptz not null default now(),
  primary key (team_id, sha256)
);

-- One submission: a command, what it is searched over, and where. Its experiments are rows of `experiments`.
create table runs (
  id uuid primary key,
  project_id uuid not null references projects (id) on delete cascade,
  team_id uuid not null references teams (id) on delete cascade,
  name text not null,
  description text not null default '',
  spec jsonb not null,
  -- Values may be secrets: sealed to `run:<id>`. The names are shown.
  sealed_environment text,
  environment_names text[] not null default '{}',
  code_sha256 text,
  git jsonb,
  datastores jsonb not null default '[]',
  warnings jsonb not null default '[]',
  cluster_id uuid not null references clusters (id),
  cloned_from uuid references runs (id) on delete set null,
  created_by uuid not null references users (id),
  via_user_id uuid references users (id),
  created_at timestamptz not null default now(),
  archived_at timestamptz,
  deleted_at timestamptz
);
create unique index runs_name on runs (team_id, name) where deleted_at is null;
create index runs_team on runs (team_id, id desc) where deleted_at is null;

-- Which experiment of a run is which.
create table run_experiments (
  run_id uuid not null references runs (id) on delete cascade,
  number integer not null,
  experiment_id uuid not null references experiments (id) on delete cascade,
  arguments jsonb not null,
  parameters jsonb not null,
  primary key (run_id, number)
);
create unique index run_experiments_experiment on run_experiments (experiment_id);

-- One try of one experiment (session, service).
create table compute_attempts (
  id uuid primary key,
  kind text not null check (kind in ('experiment', 'session', 'service')),
  owner_id uuid not null,
  team_id uuid not null references teams (id) on delete cascade,
  user_id uuid not null references users (id),
  cluster_id uuid not null references clusters (id),
  number integer not null,
  state text not null check (state in ('created', 'submitting', 'queued', 'starting', 'building', 'running', 'stopping',
    'syncing', 'succeeded', 'failed', 'stopped', 'timeout', 'oom', 'preempted', 'lost', 'rejected')),
  message text not null default '',
  spec jsonb not null,
  -- How the backend calls it, once that is known.
  ref text,
  node text,
  -- Of the single-use token that its node begins with, and of the key that came of it.
  boot_hash text,
  token_hash text,
  key_id uuid,
  created_at timestamptz not null default now(),
  submitted_at timestamptz,
  started_at timestamptz,
  running_at timestamptz,
  ended_at timestamptz,
  heartbeat_at timestamptz,
  stop_requested_at timestamptz,
  stop_sent_at timestamptz,
  kill_sent_at timestamptz,
  absent_count integer not null default 0,
  exit_code integer,
  -- What the node itself said about the end.
  reported jsonb,
  reported_at timestamptz,
  forgotten_at timestamptz,
  unique (owner_id, number)
);
create index compute_attempts_live on compute_attempts (cluster_id, id) where ended_at is null;
create index compute_attempts_team on compute_attempts (team_id, id desc);
create index compute_attempts_ended on compute_attempts (ended_at) where ended_at is not null and forgotten_at is null;

-- What an attempt writes, as far as it has arrived: sizes in bytes, and what of a line is still without its end.
create table attempt_streams (
  attempt_id uuid not null references compute_attempts (id) on delete cascade,
  name text not null,
  size_bytes bigint not null default 0,
  -- The next line's number in the experiment's console; null where lines have no numbers.
  next_line bigint not null default 0,
  rest bytea not null default '',
  is_complete boolean not null default false,
  primary key (attempt_id, name)
);
create table attempt_lines (
  attempt_id uuid not null references compute_attempts (id) on delete cascade,
  number bigint not null,
  at timestamptz not null default now(),
  text text not null,
  primary key (attempt_id, number)
);
