-- What machines cost and who pays. Amounts are whole microcredits: a millionth of what the organisation calls a credit.

create table rates (
  id uuid primary key,
  -- Null: on every cluster.
  cluster text,
  -- `*`: every machine.
  machine text not null,
  is_spot boolean not null,
  microcredits_per_hour bigint not null check (microcredits_per_hour >= 0),
  -- What began before keeps the rate it began with.
  valid_from timestamptz not null,
  created_by uuid references users (id),
  created_at timestamptz not null
);
create index rates_machine on rates (machine, valid_from desc);

-- One account a team (a person's own work is their personal team's), and the two that money comes from and goes to.
create table ledger_accounts (
  id uuid primary key,
  kind text not null check (kind in ('team', 'issued', 'consumed')),
  -- Outlives the team.
  team_id uuid unique,
  -- The sum of its entries. Kept for teams alone: everybody's entries meet in the other two.
  microcredits bigint not null default 0,
  check ((kind = 'team') = (team_id is not null))
);
create unique index ledger_accounts_house on ledger_accounts (kind) where kind <> 'team';
insert into ledger_accounts (id, kind) values
  ('00000000-0000-0000-0000-000000000001', 'issued'),
  ('00000000-0000-0000-0000-000000000002', 'consumed');

create table ledger_entries (
  number bigint generated always as identity primary key,
  transfer_id uuid not null,
  account_id uuid not null references ledger_accounts (id),
  microcredits bigint not null check (microcredits <> 0),
  reason text not null check (reason in ('credit', 'usage', 'adjustment')),
  note text not null default '',
  created_by uuid references users (id),
  created_at timestamptz not null
);
create index ledger_entries_account on ledger_entries (account_id, number desc);
create index ledger_entries_transfer on ledger_entries (transfer_id);

-- Nothing appears or disappears: what one account loses in a transfer another gains.
create function ledger_balance() returns trigger language plpgsql as $$
begin
  if (select sum(microcredits) from ledger_entries where transfer_id = new.transfer_id) <> 0 then
    raise exception 'Transfer % does not add up to nothing', new.transfer_id using errcode = 'check_violation';
  end if;
  return null;
end $$;
create constraint trigger ledger_entries_balance after insert on ledger_entries
  deferrable initially deferred for each row execute function ledger_balance();
create trigger ledger_entries_append_only before update or delete on ledger_entries
  for each row execute function audit_refuse();
create trigger ledger_entries_no_truncate before truncate on ledger_entries
  for each statement execute function audit_refuse();

-- One a stay on a machine: an attempt of an experiment, of a session or of a service.
create table meters (
  id uuid primary key,
  attempt_id uuid not null unique,
  kind text not null check (kind in ('experiment', 'session', 'service')),
  -- None of these is a reference: what was used stays in the books when the rest is gone.
  team_id uuid not null,
  user_id uuid not null,
  project_id uuid,
  subject_id uuid not null,
  subject_name text not null,
  cluster text not null,
  machine text not null,
  is_spot boolean not null,
  cpus integer not null,
  gpus integer not null,
  microcredits_per_hour bigint not null check (microcredits_per_hour >= 0),
  started_at timestamptz not null,
  -- Charged up to here.
  metered_until timestamptz not null,
  ended_at timestamptz,
  -- Ended and wholly charged.
  is_settled boolean not null default false,
  microcredits bigint not null default 0
);
create index meters_open on meters (id) where not is_settled;
create index meters_team on meters (team_id, started_at desc);
create index meters_subject on meters (subject_id);

-- How much of a meter falls into which hour: what tables and charts of usage add up.
create table usage_hours (
  meter_id uuid not null references meters (id),
  hour timestamptz not null,
  team_id uuid not null,
  seconds integer not null,
  microcredits bigint not null,
  primary key (meter_id, hour)
);
create index usage_hours_team on usage_hours (team_id, hour);

-- What a team decides about spending.
create table spending_rules (
  team_id uuid primary key references teams (id) on delete cascade,
  -- What happens without credits left: only tell, refuse new work and pause sessions, or end experiments too.
  -- Null: tell while nobody ever gave the team credits, afterwards pause.
  when_empty text check (when_empty in ('warn', 'pause', 'stop')),
  low_microcredits bigint not null default 10000000 check (low_microcredits >= 0),
  -- Told since the last credit.
  told_low boolean not null default false,
  told_empty boolean not null default false
);

create table budgets (
  id uuid primary key,
  team_id uuid not null references teams (id) on delete cascade,
  -- Whose spending counts: the team's, one person's in it, or one project's.
  user_id uuid references users (id) on delete cascade,
  project_id uuid references projects (id) on delete cascade,
  period text not null check (period in ('month', 'quarter', 'none')),
  microcredits bigint not null check (microcredits > 0),
  -- At which percentages people are told.
  notice_percents integer[] not null default '{80,100}',
  is_hard boolean not null default false,
  -- The highest percentage told, and in which period.
  told_period text not null default '',
  told_percent integer not null default 0,
  created_by uuid references users (id),
  created_at timestamptz not null,
  check (user_id is null or project_id is null)
);
create index budgets_team on budgets (team_id);
