-- Sweeps: one search over parameters. What it tries are trials; each becomes an experiment when an agent takes it.
create table sweeps (
  id uuid primary key,
  project_id uuid not null references projects (id) on delete cascade,
  team_id uuid not null references teams (id) on delete cascade,
  -- Eight characters; experiments carry it as their `sweep_name`.
  slug text not null,
  name text,
  description text,
  state text not null default 'pending' check (state in ('pending', 'running', 'paused', 'finished', 'cancelled')),
  config jsonb not null,
  -- As it was written, for people and for agents that look for their command in it.
  config_text text not null,
  -- With the number of a trial it decides every draw, so that a search can be repeated.
  seed integer not null,
  -- What a controller on the user's machine wants, and what came of it.
  controller jsonb not null default '{}',
  -- Nothing is left to try; it is finished when what runs has ended.
  exhausted_at timestamptz,
  created_by uuid not null references users (id),
  via_user_id uuid references users (id),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  heartbeat_at timestamptz,
  ended_at timestamptz,
  unique (project_id, slug)
);
create index sweeps_project on sweeps (project_id, created_at desc);

-- A process on some machine that asks for experiments to run.
create table sweep_agents (
  id uuid primary key,
  sweep_id uuid not null references sweeps (id) on delete cascade,
  number integer not null,
  host text not null,
  user_id uuid not null references users (id),
  via_user_id uuid references users (id),
  state text not null default 'running' check (state in ('running', 'finished', 'crashed')),
  created_at timestamptz not null default now(),
  heartbeat_at timestamptz not null default now(),
  ended_at timestamptz,
  unique (sweep_id, number)
);
create index sweep_agents_live on sweep_agents (heartbeat_at) where state = 'running';

create table sweep_trials (
  sweep_id uuid not null references sweeps (id) on delete cascade,
  number integer not null,
  params jsonb not null,
  -- `waiting`: for an agent. `handed`: to `agent_id`, as experiment `slug`. `dropped`: too many agents died over it.
  state text not null check (state in ('waiting', 'handed', 'dropped')),
  slug text,
  -- Set once the experiment is there. No reference: that it was deleted is told by its absence.
  experiment_id uuid,
  agent_id uuid references sweep_agents (id) on delete set null,
  -- The id under which a controller asked for it.
  schedule_id text,
  -- How often it was handed out, and to how many agents it has been lost.
  handed_count integer not null default 0,
  lost_count integer not null default 0,
  created_at timestamptz not null default now(),
  handed_at timestamptz,
  -- The agent has said that it runs.
  reported_at timestamptz,
  primary key (sweep_id, number)
);
create unique index sweep_trials_schedule on sweep_trials (sweep_id, schedule_id) where schedule_id is not null;
create index sweep_trials_agent on sweep_trials (agent_id);

create index experiments_sweep on experiments (project_id, sweep_name) where sweep_name is not null;
