-- The first characters of a key, by which scripts name one of their own in a list. Older keys go without.
alter table api_keys add column start text not null default '';
