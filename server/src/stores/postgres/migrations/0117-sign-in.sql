-- Single sign-on and second factors.

alter table auth_user add column two_factor_enabled boolean not null default false;
create table auth_two_factor (
  id text primary key,
  user_id text not null references auth_user (id) on delete cascade,
  -- Both encrypted with the instance's secret by the library that reads them.
  secret text not null,
  backup_codes text not null,
  verified boolean not null default false,
  failed_verification_count integer not null default 0,
  locked_until timestamptz
);
create index auth_two_factor_user on auth_two_factor (user_id);

alter table memberships
  -- Given by a group of the identity provider, and taken with it; what people gave stays.
  add column from_group boolean not null default false;
alter table users
  -- The same for the role in the organisation.
  add column role_from_group boolean not null default false;
