-- Who uses a version of a datastore: runs, experiments and sessions. While one that has not ended holds it, it is not deleted.
create table datastore_uses (
  id uuid primary key,
  version_id uuid not null references datastore_versions (id),
  kind text not null check (kind in ('run', 'experiment', 'session')),
  -- What `kind` calls it; its rows belong to others.
  used_by_id text not null,
  -- How people call it, and who may know.
  label text not null,
  team_id uuid not null references teams (id),
  owner_id uuid not null references users (id),
  is_private boolean not null default false,
  started_at timestamptz not null default now(),
  ended_at timestamptz,
  unique (version_id, kind, used_by_id)
);
create index datastore_uses_user on datastore_uses (kind, used_by_id);
