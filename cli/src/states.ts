import { endedStates, type ExperimentState } from '@teamgrid/api'

/** An experiment's state in the words of Grid's tables. */
export const statusOf: Record<ExperimentState, 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'> =
  {
    pending: 'queued',
    running: 'running',
    preempting: 'running',
    finished: 'succeeded',
    failed: 'failed',
    crashed: 'failed',
    killed: 'cancelled',
    preempted: 'cancelled',
  }

export function hasEnded(state: ExperimentState): boolean {
  return endedStates.includes(state)
}
