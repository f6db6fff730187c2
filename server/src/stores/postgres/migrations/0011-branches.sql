-- Where an experiment branches off another: a fork goes on from somebody's step, a rewound experiment from its own, whose
-- former whole is kept as an experiment of its own. The history up to and including that step was copied.
alter table experiments
  add column branched_from uuid references experiments (id) on delete set null,
  add column branched_at_step bigint,
  add column branch_kind text check (branch_kind in ('fork', 'rewind'));
create index experiments_branches on experiments (branched_from) where branched_from is not null;
