-- Parts of a large file go straight to their place in the whole, so nothing is written twice.

-- Uploads that are under way begin again: their parts were blobs of their own.
insert into stray_blobs (blob_key, remove_after)
select blob_key, 'epoch' from artifact_upload_parts
on conflict (blob_key) do update set remove_after = excluded.remove_after;
delete from artifact_uploads;

alter table artifact_uploads
  add column blob_key text not null unique,
  -- What the file store calls the unfinished whole.
  add column parts_token text not null,
  -- Every part but the last has this size; null until one of them has come.
  add column part_bytes bigint;
alter table artifact_upload_parts
  drop column blob_key,
  -- What the file store wants to know to finish the whole, of each piece of this part.
  add column proofs text[] not null default '{}',
  -- The last part, when it came before its place was known, waits under this key.
  add column waiting_key text;

-- Set for a whole that is being put together of parts.
alter table stray_blobs add column parts_token text;
