import type { Experiment } from '@teamgrid/api'
import { hasEnded, statusOf } from './states.ts'
import { duration } from './time.ts'

/** An experiment as `-o json` prints it. */
export function experimentJson(experiment: Experiment): Record<string, unknown> {
  const waits = experiment.state === 'pending'
  return {
    experiment: experiment.name,
    status: statusOf[experiment.state],
    queued_duration: waits ? duration(experiment.durationSeconds) : null,
    run_duration: waits ? null : duration(experiment.durationSeconds),
    id: experiment.id,
    slug: experiment.slug,
    run: experiment.group,
    team: experiment.team,
    project: experiment.project,
    created_by: experiment.createdBy.username,
    via: experiment.via?.username ?? null,
    state: experiment.state,
    stop_requested: experiment.stopRequested,
    exit_code: experiment.exitCode,
    duration_seconds: experiment.durationSeconds,
    created_at: experiment.createdAt,
    ended_at: hasEnded(experiment.state) ? experiment.endedAt : null,
    tags: experiment.tags,
  }
}
