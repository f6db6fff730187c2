-- Who did what to what, when, from where and by which key. Nothing in it is ever changed or deleted.
alter table activity
  -- The address the request came from; null for what nobody asked for over the network.
  add column address text,
  -- `web`, `cli` or `wandb`: through which door.
  add column client text,
  -- What was done in a team outlives the team.
  drop constraint activity_team_id_fkey,
  -- Whole milliseconds, as every reader of the log sees them and as its hashes say.
  alter column created_at set default date_trunc('milliseconds', now());
create index activity_actor on activity (actor_user_id, id desc);
create index activity_subject on activity (subject_id, id desc);

-- Lines that no seal covers yet. Filled by the database itself, so no writer can forget it.
create table audit_queue (activity_id uuid primary key);
insert into audit_queue select id from activity;
create function audit_enqueue() returns trigger language plpgsql as $$
begin
  insert into audit_queue values (new.id);
  return null;
end $$;
create trigger activity_enqueue after insert on activity for each row execute function audit_enqueue();

-- The hash chain: number 1, 2, 3 … of each team (and of the organisation, whose chain is the zero id) without gaps.
-- Lines are sealed in order by one step at a time after they were committed, so that writers never wait for each other.
create table audit_seals (
  chain uuid not null,
  number bigint not null check (number > 0),
  activity_id uuid not null unique,
  -- SHA-256 over the seal before it, the number and the whole line.
  hash text not null,
  primary key (chain, number)
);

create function audit_refuse() returns trigger language plpgsql as $$
begin
  raise exception 'The audit log is append-only: % of % is refused', lower(tg_op), tg_table_name
    using errcode = 'insufficient_privilege';
end $$;
create trigger activity_append_only before update or delete on activity
  for each row execute function audit_refuse();
create trigger activity_no_truncate before truncate on activity
  for each statement execute function audit_refuse();
create trigger audit_seals_append_only before update or delete on audit_seals
  for each row execute function audit_refuse();
create trigger audit_seals_no_truncate before truncate on audit_seals
  for each statement execute function audit_refuse();
