-- Why it was asked to stop, where nobody pressed a button: a budget, a time.
alter table compute_attempts add column stop_reason text;
