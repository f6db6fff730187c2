-- Single sign-on as the organisation's admins set it; what the environment sets wins over it.
create table sso_settings (
  id boolean primary key default true check (id),
  settings jsonb not null default '{}',
  -- Client secrets by provider, each sealed with the instance's secret; never read by anybody but the sign-in itself.
  secrets jsonb not null default '{}',
  -- Grows with each change: servers that have an older one build their sign-in anew.
  version integer not null default 1,
  updated_at timestamptz not null default now()
);
insert into sso_settings default values;

-- How often an address has tried something lately, for all servers on this database. What a crash forgets is forgiven.
create unlogged table attempts (
  key text primary key,
  count integer not null,
  since timestamptz not null
);
create index attempts_since on attempts (since);
