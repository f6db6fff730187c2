-- Which trial an experiment is of, and which experiments of a sweep are of none, without going through all of them.
create index sweep_trials_experiment on sweep_trials (experiment_id) where experiment_id is not null;
