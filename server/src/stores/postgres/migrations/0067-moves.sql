-- Experiments that moved to another project or team, and the addresses they had.

alter table experiments
  -- When it came into its project from another one; whoever owns that project may not delete it for that alone.
  add column moved_at timestamptz,
  add column moved_by uuid references users (id);

-- A former address leads to the experiment for as long as that exists and no other has taken the address. The names are
-- kept too, because a project that was emptied is often deleted.
create table experiment_addresses (
  team_id uuid not null,
  project_id uuid not null,
  project_name text not null,
  slug text not null,
  experiment_id uuid not null references experiments (id) on delete cascade,
  created_at timestamptz not null default now(),
  primary key (project_id, slug)
);
create index experiment_addresses_name on experiment_addresses (team_id, lower(project_name), slug);
create index experiment_addresses_experiment on experiment_addresses (experiment_id);

-- Moves whose facts in the metric store still have to follow; a row goes when they have.
create table fact_moves (
  id uuid primary key,
  from_project_id uuid not null,
  experiment_ids uuid[] not null,
  created_at timestamptz not null default now()
);
