-- Contents are read again over the year; those whose bytes have changed are quarantined.
alter table datastore_contents add column verified_at timestamptz;
create index datastore_contents_verified on datastore_contents ((coalesce(verified_at, created_at))) where damaged_at is null;
create index datastore_contents_damaged on datastore_contents (sha256_hex) where damaged_at is not null;

-- What the server fetches by itself: an upload that it fills in somebody's name.
create table datastore_imports (
  -- Of its upload, which goes when the version is made; this stays for a while to tell what came of it.
  id uuid primary key,
  team_id uuid not null references teams (id),
  owner_id uuid not null references users (id),
  via_user_id uuid references users (id),
  client text not null,
  name text not null,
  -- What to fetch, as people see it.
  source text not null,
  -- The same with query, endpoint and access key, encrypted; forgotten when it is done.
  sealed_source text,
  state text not null default 'waiting' check (state in ('waiting', 'fetching', 'unpacking', 'storing', 'done', 'failed')),
  done_bytes bigint not null default 0,
  of_bytes bigint,
  file_count bigint not null default 0,
  error text,
  datastore_id uuid references datastores (id),
  version integer,
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now()
);
create index datastore_imports_open on datastore_imports (created_at) where state not in ('done', 'failed');
create index datastore_imports_owner on datastore_imports (owner_id);
