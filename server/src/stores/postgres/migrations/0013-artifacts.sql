-- Links, deletion, uploads in parts and registries of artifacts.

alter table artifact_collections add column tags text[] not null default '{}';

comment on column artifacts.ttl_seconds is 'null: not told; 0: kept for ever';
-- By which the client names content: of its files, and over them of the version.
alter table artifacts add column digest_algorithm text not null default 'md5' check (digest_algorithm in ('md5', 'xxh128'));
-- The last sign of somebody who is still saving it; pending versions without one are cleaned up.
alter table artifacts add column touched_at timestamptz not null default now();
create index artifacts_pending on artifacts (touched_at) where state = 'pending';
create index artifacts_ttl on artifacts (committed_at) where state = 'committed' and ttl_seconds > 0;
-- A manifest may outlive the version that it builds on.
alter table artifact_manifests drop constraint artifact_manifests_base_artifact_id_fkey;
alter table artifact_manifests add foreign key (base_artifact_id) references artifacts (id) on delete set null;

-- That a version is in a collection of links, under a number of that collection.
create table artifact_links (
  collection_id uuid not null references artifact_collections (id) on delete cascade,
  artifact_id uuid not null references artifacts (id) on delete cascade,
  version_index integer not null,
  linked_by uuid references users (id),
  created_at timestamptz not null default now(),
  primary key (collection_id, artifact_id),
  unique (collection_id, version_index)
);
create index artifact_links_artifact on artifact_links (artifact_id);

-- Which stored content an entry is, as `artifact_blobs.md5_hex` of its project has it. Null for references.
alter table artifact_entries add column content text;
update artifact_entries set content = encode(decode(digest, 'base64'), 'hex') where ref is null;
create index artifact_entries_content on artifact_entries (content) where content is not null;

-- Content that a version still being saved counts on: nobody may clear it away meanwhile.
create table artifact_claims (
  artifact_id uuid not null references artifacts (id) on delete cascade,
  project_id uuid not null references projects (id) on delete cascade,
  content text not null,
  primary key (artifact_id, content)
);
create index artifact_claims_content on artifact_claims (project_id, content);

-- Keys in the file store that nothing refers to: of what was deleted, and of uploads that have not come to their end.
create table stray_blobs (
  blob_key text primary key,
  remove_after timestamptz not null
);
create index stray_blobs_due on stray_blobs (remove_after);

-- Large files come in parts, each a blob of its own until all are there.
create table artifact_uploads (
  id uuid primary key,
  artifact_id uuid not null references artifacts (id) on delete cascade,
  content text not null,
  created_at timestamptz not null default now(),
  unique (artifact_id, content)
);
create table artifact_upload_parts (
  upload_id uuid not null references artifact_uploads (id) on delete cascade,
  part_number integer not null,
  md5_hex text not null,
  size_bytes bigint not null,
  blob_key text not null,
  primary key (upload_id, part_number)
);

-- Registries are projects of the organisation, which is no team that anybody is a member of.
alter table teams drop constraint teams_kind_check;
alter table teams add constraint teams_kind_check check (kind in ('team', 'personal', 'organisation'));
insert into teams (id, slug, name, kind)
select gen_random_uuid(), slug, 'The organisation', 'organisation'
from unnest(array['organisation', 'the-organisation', 'organisation-registries']) with ordinality as free (slug, place)
where not exists (select 1 from teams where lower(teams.slug) = free.slug)
  and not exists (select 1 from users where lower(users.username) = free.slug)
order by place limit 1;

create table registries (
  project_id uuid primary key references projects (id) on delete cascade,
  -- `organisation`: everybody of it may look; `restricted`: members alone.
  visibility text not null check (visibility in ('organisation', 'restricted')),
  -- Empty while every type of artifact may be linked.
  types text[] not null default '{}',
  all_types boolean not null default true
);
create table registry_members (
  project_id uuid not null references registries (project_id) on delete cascade,
  user_id uuid references users (id) on delete cascade,
  team_id uuid references teams (id) on delete cascade,
  role text not null check (role in ('admin', 'member', 'viewer')),
  check (num_nonnulls(user_id, team_id) = 1),
  unique (project_id, user_id),
  unique (project_id, team_id)
);
