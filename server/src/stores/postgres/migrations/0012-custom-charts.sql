-- Kinds of chart that a team made for itself (Vega-Lite); scripts name them as `team/name`.
create table custom_charts (
  id uuid primary key,
  team_id uuid not null references teams (id) on delete cascade,
  name text not null,
  display_name text not null,
  kind text not null,
  is_public boolean not null,
  spec jsonb not null,
  created_by uuid references users (id),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create unique index custom_charts_name on custom_charts (team_id, lower(name));
