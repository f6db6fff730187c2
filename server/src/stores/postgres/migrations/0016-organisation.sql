-- The organisation's say over its teams, its plan without payment, requests for teams, invitations of people by name,
-- who was a member once, and which projects are their maker's alone.

alter table instance
  -- Policy switches that no team may set otherwise: {"members_delete_runs": false}. Also those only the organisation sets.
  add column policy_locks jsonb not null default '{}',
  add column plan_name text not null default 'Self-hosted',
  -- Null: as many as there are people.
  add column seats_max integer check (seats_max > 0),
  add column trial_ends_at timestamptz,
  -- Where people who want more turn to.
  add column contact_url text,
  add column billing_user_id uuid references users (id),
  add column billing_info jsonb not null default '{}';

create table team_requests (
  id uuid primary key,
  slug text not null,
  name text not null,
  reason text not null default '',
  requested_by uuid not null references users (id) on delete cascade,
  created_at timestamptz not null default now(),
  decided_at timestamptz,
  decided_by uuid references users (id),
  granted boolean,
  note text not null default '',
  team_id uuid references teams (id) on delete set null
);
create index team_requests_open on team_requests (created_at) where decided_at is null;
create index team_requests_person on team_requests (requested_by, created_at desc);

-- An invitation may name an account instead of an address; the token of its link changes when it is sent again.
alter table invitations
  add column user_id uuid references users (id) on delete cascade,
  add column sent_at timestamptz;
create index invitations_user on invitations (user_id) where user_id is not null;

-- Who left or was removed: what they made still bears their name, and nobody logs in their name any more.
create table former_members (
  team_id uuid not null references teams (id) on delete cascade,
  user_id uuid not null references users (id) on delete cascade,
  role text not null,
  left_at timestamptz not null default now(),
  primary key (team_id, user_id)
);

-- Joining a team makes it the place for new work. Until the person says that this is right, the way back is kept.
alter table users
  add column default_team_before_id uuid references teams (id) on delete set null,
  add column default_team_switched_at timestamptz;

-- `private` projects are their maker's and the admins' alone.
alter table projects
  add column visibility text not null default 'team' check (visibility in ('team', 'private'));
alter table teams
  add column new_project_visibility text not null default 'team' check (new_project_visibility in ('team', 'private')),
  add column code_saving boolean not null default true;
