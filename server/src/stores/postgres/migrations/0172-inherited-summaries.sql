-- What a branch had as its summary when it began: its script sends its own, whole, which goes over this.
alter table experiments add column inherited_summary jsonb;
