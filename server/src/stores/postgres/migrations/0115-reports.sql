-- Views of a project: reports that people write, and workspaces that the wandb client saves.
create table views (
  id uuid primary key,
  team_id uuid not null references teams (id) on delete cascade,
  project_id uuid not null references projects (id) on delete cascade,
  kind text not null check (kind in ('report', 'workspace', 'experiment')),
  -- The client's own name for it.
  name text not null,
  title text not null,
  description text not null default '',
  -- The client's JSON, unchanged; only pages interpret it.
  spec text not null,
  -- Unpublished changes of a report: {"title", "description", "spec"}.
  draft jsonb,
  -- Whether others than those who may edit it see it.
  is_published boolean not null default true,
  -- Whether members edit it too.
  share text not null default 'none' check (share in ('none', 'edit')),
  -- Counts every change, so that who saves over somebody else's is told.
  version integer not null default 1,
  created_by uuid not null references users (id),
  via_user_id uuid references users (id),
  updated_by uuid references users (id),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  published_at timestamptz
);
create unique index views_name on views (project_id, kind, name);
create index views_project on views (project_id, kind, updated_at desc);

-- Links with which anybody reads one report. The token is sealed, so that who made a link can copy it again.
create table report_links (
  id uuid primary key,
  view_id uuid not null references views (id) on delete cascade,
  token_hash text not null unique,
  token text not null,
  created_by uuid references users (id),
  created_at timestamptz not null default now(),
  revoked_at timestamptz
);
create index report_links_view on report_links (view_id);

create table report_comments (
  id uuid primary key,
  view_id uuid not null references views (id) on delete cascade,
  author_id uuid not null references users (id),
  text text not null,
  created_at timestamptz not null default now()
);
create index report_comments_view on report_comments (view_id, id);

create table report_follows (
  view_id uuid not null references views (id) on delete cascade,
  user_id uuid not null references users (id) on delete cascade,
  primary key (view_id, user_id)
);
