-- Alerts reach people: rules, channels, deliveries, notifications, preferences.

create table alert_channels (
  id uuid primary key,
  team_id uuid not null references teams (id) on delete cascade,
  name text not null,
  kind text not null check (kind in ('email', 'slack', 'webhook')),
  -- Addresses or url, sealed: who has a Slack url can post with it.
  target text not null,
  -- What may be shown of it.
  hint text not null,
  -- Signs generic webhooks; sealed.
  secret text,
  created_by uuid references users (id),
  created_at timestamptz not null default now()
);
create unique index alert_channels_name on alert_channels (team_id, lower(name));

create table alert_rules (
  id uuid primary key,
  team_id uuid not null references teams (id) on delete cascade,
  -- Null: every project of the team.
  project_id uuid references projects (id) on delete cascade,
  -- Whose personal rule it is; null: the team's.
  owner_id uuid references users (id) on delete cascade,
  name text not null,
  description text not null default '',
  enabled boolean not null default true,
  condition jsonb not null,
  filters jsonb not null default '[]',
  audience text not null default 'owner' check (audience in ('nobody', 'owner', 'team', 'me')),
  channel_ids uuid[] not null default '{}',
  level text not null default 'warn' check (level in ('info', 'warn', 'error')),
  wait_seconds integer not null default 3600,
  -- What the sender wants said instead of our own words; the payload of a webhook with ${variables}.
  title text,
  message text,
  payload jsonb,
  created_by uuid references users (id),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index alert_rules_team on alert_rules (team_id, created_at);

-- When a rule last spoke about an experiment: once per wait time.
create table alert_firings (
  rule_id uuid not null references alert_rules (id) on delete cascade,
  experiment_id uuid not null references experiments (id) on delete cascade,
  fired_at timestamptz not null,
  primary key (rule_id, experiment_id)
);

-- Experiments that ended and are still to be looked at by rules; written with the end, so that none is forgotten.
create table alert_checks (
  experiment_id uuid primary key references experiments (id) on delete cascade,
  state text not null,
  tries integer not null default 0,
  next_try_at timestamptz not null default now()
);

alter table alerts add column rule_id uuid references alert_rules (id) on delete set null;
alter table alerts add column details jsonb not null default '{}';
create index alerts_rule on alerts (rule_id, created_at desc) where rule_id is not null;

create table alert_deliveries (
  id uuid primary key,
  team_id uuid not null references teams (id) on delete cascade,
  channel_id uuid not null references alert_channels (id) on delete cascade,
  rule_id uuid references alert_rules (id) on delete set null,
  alert_id uuid references alerts (id) on delete set null,
  title text not null,
  -- What is sent; null once it is out or given up.
  body text,
  mail_ids uuid[] not null default '{}',
  state text not null default 'waiting' check (state in ('waiting', 'sent', 'failed', 'skipped')),
  tries integer not null default 0,
  next_try_at timestamptz not null default now(),
  http_status integer,
  error text,
  created_at timestamptz not null default now(),
  done_at timestamptz
);
create index alert_deliveries_due on alert_deliveries (next_try_at) where state = 'waiting' and mail_ids = '{}';
create index alert_deliveries_team on alert_deliveries (team_id, id desc);
create index alert_deliveries_channel on alert_deliveries (channel_id, created_at desc);

create table notifications (
  id uuid primary key,
  user_id uuid not null references users (id) on delete cascade,
  team_id uuid not null references teams (id) on delete cascade,
  kind text not null,
  level text not null default 'info' check (level in ('info', 'warn', 'error')),
  title text not null,
  text text not null default '',
  -- A path of the web app, such as /vision/digits/runs/abc.
  link text,
  created_at timestamptz not null default now(),
  read_at timestamptz
);
create index notifications_user on notifications (user_id, id desc);
create index notifications_unread on notifications (user_id) where read_at is null;

create table notification_preferences (
  user_id uuid primary key references users (id) on delete cascade,
  -- By kind: {"app": true, "email": false}; what is absent is the default.
  preferences jsonb not null default '{}'
);
