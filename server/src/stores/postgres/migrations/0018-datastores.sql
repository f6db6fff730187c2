-- Datastores: versioned data that people bring. Content is stored once for the whole server, by its SHA-256.

create table datastores (
  id uuid primary key,
  team_id uuid not null references teams (id),
  owner_id uuid not null references users (id),
  -- The service account that made it for its owner.
  via_user_id uuid references users (id),
  name text not null,
  description text not null default '',
  visibility text not null default 'team' check (visibility in ('private', 'team', 'organisation')),
  -- The highest number ever given, so that none is given twice.
  last_version integer not null default 0,
  created_at timestamptz not null default now(),
  unique (team_id, owner_id, name)
);

create table datastore_versions (
  id uuid primary key,
  datastore_id uuid not null references datastores (id),
  number integer not null,
  -- SHA-256 of the manifest's lines: the same files are the same version.
  digest text not null,
  manifest_key text not null,
  source text not null default '',
  file_count bigint not null,
  size_bytes bigint not null,
  created_by uuid not null references users (id),
  created_at timestamptz not null default now(),
  -- In the trash since; afterwards the row stays, so that what used the version can still name it.
  deleted_at timestamptz,
  deleted_by uuid references users (id),
  purged_at timestamptz,
  unique (datastore_id, number)
);
create index datastore_versions_trash on datastore_versions (deleted_at) where deleted_at is not null and purged_at is null;

-- Files, links and folders of a version. `C` compares bytes, the same on every server.
create table datastore_entries (
  version_id uuid not null references datastore_versions (id),
  folder text collate "C" not null,
  name text collate "C" not null,
  kind text not null check (kind in ('file', 'link', 'folder')),
  sha256_hex text,
  -- Of a folder: of all the files in and below it.
  size_bytes bigint not null default 0,
  file_count bigint not null default 0,
  executable boolean not null default false,
  link_target text,
  primary key (version_id, folder, name)
);
create index datastore_entries_content on datastore_entries (sha256_hex) where sha256_hex is not null;

create table datastore_contents (
  sha256_hex text primary key,
  size_bytes bigint not null,
  blob_key text not null,
  -- Many small contents lie in one blob, one after the other.
  start_byte bigint not null default 0,
  created_at timestamptz not null default now(),
  -- Last asked for by an upload: what an upload may count on is not cleared away.
  touched_at timestamptz not null default now(),
  -- Its bytes were found to be others than its digest says: never handed out again.
  damaged_at timestamptz
);
create index datastore_contents_blob on datastore_contents (blob_key);

create table datastore_uploads (
  id uuid primary key,
  team_id uuid not null references teams (id),
  owner_id uuid not null references users (id),
  via_user_id uuid references users (id),
  -- Whose datastore gets the version.
  for_user_id uuid not null references users (id),
  name text not null,
  source text not null default '',
  visibility text not null check (visibility in ('private', 'team', 'organisation')),
  file_count bigint,
  size_bytes bigint,
  created_at timestamptz not null default now(),
  -- Renewed by whatever arrives; then what was sent is forgotten.
  expires_at timestamptz not null
);
create index datastore_uploads_owner on datastore_uploads (owner_id);

-- What an upload may put into its version: contents it sent, or that its owner could read already.
create table datastore_upload_contents (
  upload_id uuid not null references datastore_uploads (id) on delete cascade,
  sha256_hex text not null references datastore_contents (sha256_hex),
  primary key (upload_id, sha256_hex)
);
create index datastore_upload_contents_content on datastore_upload_contents (sha256_hex);

-- A large content on its way in, in parts that lie in blobs of their own.
create table datastore_upload_parts (
  upload_id uuid not null references datastore_uploads (id) on delete cascade,
  sha256_hex text not null,
  start_byte bigint not null,
  size_bytes bigint not null,
  blob_key text not null,
  primary key (upload_id, sha256_hex, start_byte)
);
