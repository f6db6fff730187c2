-- Several processes may write one experiment, each counting its lines for itself. Their lines are stored in the order
-- of arrival; this tells where each went, so that what comes twice is stored once.
create table shared_lines (
  experiment_id uuid not null references experiments (id) on delete cascade,
  writer text not null,
  stream text not null check (stream in ('history', 'system', 'console')),
  -- Lines `first_offset` and following of the writer are lines `first_line` and following of the experiment.
  first_offset bigint not null,
  first_line bigint not null,
  lines bigint not null check (lines > 0),
  primary key (experiment_id, writer, stream, first_offset)
);
