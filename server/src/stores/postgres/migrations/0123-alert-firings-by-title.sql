-- Rules on what scripts report keep their wait time for each title: "disk full" is no reason to keep quiet about NaN.
-- Empty for all other rules.
alter table alert_firings add column title text not null default '';
alter table alert_firings drop constraint alert_firings_pkey;
alter table alert_firings add primary key (rule_id, experiment_id, title);
