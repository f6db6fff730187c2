import type { ExperimentState, Filter } from '@teamgrid/api'
import type { Guarded } from '../actor.ts'

/** How callers name an experiment: the names of its team, its project and its own slug. Case-insensitive but for the slug. */
export type ExperimentRef = { team: string; project: string; slug: string }

/** An experiment as stored, with the names above it. `Guarded`, so that `allowed()` takes it. */
export type StoredExperiment = Guarded & {
  id: string
  projectId: string
  projectName: string
  projectNumber: number
  teamSlug: string
  slug: string
  name: string
  state: ExperimentState
  exitCode: number | null
  createdBy: { id: string; username: string; name: string; email: string | null }
  via: { id: string; username: string; name: string } | null
  notes: string
  tags: string[]
  group: string | null
  jobType: string | null
  sweepName: string | null
  host: string | null
  program: string | null
  repo: string | null
  commit: string | null
  /** As the client sent it (`{"lr": {"value": 0.1}, "_wandb": {"value": {…}}}`), non-finite numbers as strings. */
  config: Record<string, unknown>
  /** Whole nested summary, non-finite numbers as strings. */
  summary: Record<string, unknown>
  createdAt: Date
  updatedAt: Date
  heartbeatAt: Date
  endedAt: Date | null
  stopRequested: boolean
  /** One past the highest stored line of each stream. */
  historyLines: number
  systemLines: number
  consoleLines: number
  rewritten: boolean
  /** It came into its project from another one. */
  moved: boolean
  /** The slug is null when that experiment was deleted or is in another project now. */
  branchedFrom: { slug: string | null; step: number; kind: 'fork' | 'rewind' } | null
}

/** A tree over the filters of the table, for callers that say "or" and "not". What lacks a column is not equal to anything. */
export type Condition =
  | { op: 'and' | 'or'; conditions: Condition[] }
  | { op: 'not'; condition: Condition }
  | Filter

/** Undefined leaves alone; nothing here clears by absence. */
export type UpsertExperiment = {
  /** Our id, when the caller knows it. */
  id?: string
  /** Absent: the actor's default team. */
  team?: string
  /** Absent: `uncategorized`. Made if it does not exist. */
  project?: string
  slug?: string
  name?: string
  group?: string
  jobType?: string
  notes?: string
  tags?: string[]
  config?: Record<string, unknown>
  summary?: Record<string, unknown>
  commit?: string
  repo?: string
  host?: string
  program?: string
  sweepName?: string
  state?: 'pending' | 'running'
  /** A new experiment begins with the history of another of its project, up to and including this step. */
  branchPoint?: { slug: string; step: number }
  /** Merge `config._wandb.value.e` per writer instead of replacing (several processes write one experiment). */
  shared?: boolean
}

export type ConsoleText = { timeMs: number | null; level: 'info' | 'error'; label: string; text: string }

/** One message of a writer. Lines are numbered from `offset`; everything is optional, an empty one is a sign of life. */
export type StreamChunk = {
  history?: { offset: number; lines: string[] }
  system?: { offset: number; lines: string[] }
  console?: { offset: number; lines: ConsoleText[] }
  summary?: Record<string, unknown>
  preempting?: boolean
  complete?: { exitCode: number }
  /** Several processes write one experiment: append in order of arrival, merge the summary by key. */
  sharedWriter?: string
  /** It comes from the machine and not from the script: no sign of life, so that it begins and ends nothing. */
  isAside?: boolean
}

export type StoredFile = {
  teamId: string
  experimentId: string
  path: string
  blobKey: string
  sizeBytes: number
  md5Hex: string
  sha256Hex: string
  updatedAt: Date
}

/** What somebody did to a team mate's experiment, as people say it. */
export type Act = { by: string; what: 'stopped' | 'deleted' | 'edited' | 'deleted files of' }
