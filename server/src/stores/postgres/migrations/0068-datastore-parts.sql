-- Large contents arrive in parts of one blob: each is written once, at its place.
drop table datastore_upload_parts;

create table datastore_part_blobs (
  upload_id uuid not null references datastore_uploads (id) on delete cascade,
  sha256_hex text not null,
  blob_key text not null,
  -- What the blob store calls this arrival.
  token text not null,
  primary key (upload_id, sha256_hex)
);
create table datastore_parts (
  upload_id uuid not null,
  sha256_hex text not null,
  number integer not null,
  size_bytes bigint not null,
  -- What the blob store wants to know of it at the end.
  proof text not null,
  primary key (upload_id, sha256_hex, number),
  foreign key (upload_id, sha256_hex) references datastore_part_blobs on delete cascade
);
