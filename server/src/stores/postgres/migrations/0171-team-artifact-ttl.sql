-- How long a team keeps versions that nothing else is said of; null: for ever.
alter table teams add column artifact_ttl_seconds integer check (artifact_ttl_seconds > 0);
create index artifacts_inheriting on artifacts (committed_at) where state = 'committed' and ttl_seconds is null;
comment on column artifacts.ttl_seconds is 'null: as the team says; 0: kept for ever';
