import type { ExperimentState, SweepState } from '@teamgrid/api'
import type { Guarded } from '../actor.ts'
import type { Values } from './parameters.ts'

/** How callers name a sweep: the names of its team, its project and its own slug. */
export type SweepRef = { team: string; project: string; slug: string }

/** A sweep as stored, with the names above it. `Guarded`, so that `allowed()` takes it. */
export type StoredSweep = Guarded & {
  id: string
  projectId: string
  projectName: string
  teamSlug: string
  slug: string
  /** Null: it is called by its slug. */
  name: string | null
  description: string | null
  state: SweepState
  config: Record<string, unknown>
  configText: string
  seed: number
  controller: Record<string, unknown>
  exhaustedAt: Date | null
  createdBy: { id: string; username: string; name: string }
  createdAt: Date
  updatedAt: Date
  heartbeatAt: Date | null
  endedAt: Date | null
}

/** A process that asks for experiments to run. Whoever started it owns what it runs. */
export type StoredAgent = Guarded & {
  id: string
  sweepId: string
  number: number
  host: string
  user: { username: string; name: string }
  state: 'running' | 'finished' | 'crashed'
  createdAt: Date
  heartbeatAt: Date
  endedAt: Date | null
  /** Experiments it was given. */
  trials: number
}

export type StoredTrial = {
  number: number
  values: Values
  state: 'waiting' | 'handed' | 'dropped'
  slug: string | null
  experimentId: string | null
  agentId: string | null
  scheduleId: string | null
  handedCount: number
  lostCount: number
  reportedAt: Date | null
  /** Of its experiment; null before that is made, `deleted` after it is gone. */
  experimentState: ExperimentState | 'deleted' | null
  experimentOwnerId: string | null
}

/** What an agent is told to do. */
export type AgentCommand =
  | { type: 'run' | 'resume'; slug: string; values: Values; program: string | null }
  | { type: 'stop'; slug: string }
  | { type: 'exit' }
