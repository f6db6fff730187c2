/** Rules about experiments that need nothing but data: names, states, paths. */
import { endedStates, GridError, type Experiment, type ExperimentState } from '@teamgrid/api'
import { durationSeconds } from './facts.ts'
import type { StoredExperiment } from './types.ts'

/** Longer ones do not fit into the client's own rule. */
const slugLengthMax = 128
const pathLengthMax = 4096
/** After this long without a sign of life a script is taken for dead; the client sends one every 30 seconds. */
export const crashedAfterSeconds = 300

export function isEnded(state: ExperimentState): boolean {
  return endedStates.includes(state)
}

/**
 * What an experiment becomes when its script says that it ended.
 *
 * @param exitCode not 0 for a script that was asked to stop: the client interrupts it, which is 255 for a plain script,
 *   1 inside `with wandb.init()`, and anything for one that catches the interruption.
 */
export function stateAfterExit(
  before: ExperimentState,
  exitCode: number,
  stopRequested: boolean,
): ExperimentState {
  if (exitCode === 0) return 'finished'
  if (before === 'preempting' || before === 'preempted') return 'preempted'
  if (stopRequested) return 'killed'
  return 'failed'
}

/** @throws GridError invalid, with the rule. */
export function checkSlug(slug: string): string {
  if (
    slug === '' ||
    slug.length > slugLengthMax ||
    slug.trim() !== slug ||
    slug === '.' ||
    slug === '..' ||
    /[/\p{Cc}\p{Cs}]/u.test(slug)
  )
    throw new GridError(
      'invalid',
      `"${slug.slice(0, 200)}" cannot be the id of an experiment: use 1 to ${slugLengthMax} characters without "/", ` +
        'control characters, or spaces around it.',
    )
  return slug
}

/**
 * A file's path inside its experiment: `./x` is `x`, slashes are single. Any other characters may occur.
 * @throws GridError invalid for paths that lead out of the experiment, or that no file system could hold.
 */
export function cleanPath(path: string): string {
  const refuse = (why: string): never => {
    throw new GridError('invalid', `"${path.slice(0, 200)}" cannot be the path of a file: ${why}.`)
  }
  if (path.startsWith('/')) return refuse('it starts with "/"')
  if (path.includes('\\')) return refuse('it holds a backslash; folders are separated by "/"')
  if (path.includes('\0')) return refuse('it holds a NUL character')
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..')) return refuse('".." leads out of its folder')
  if (parts.length === 0) return refuse('it names no file')
  const clean = parts.join('/').toWellFormed()
  if (Buffer.byteLength(clean) > pathLengthMax) return refuse(`it is longer than ${pathLengthMax} bytes`)
  return clean
}

/** The row of a list. */
export function experimentOf(stored: StoredExperiment): Experiment {
  return {
    id: stored.id,
    team: stored.teamSlug,
    project: stored.projectName,
    slug: stored.slug,
    name: stored.name,
    state: stored.state,
    stopRequested: stored.stopRequested,
    exitCode: stored.exitCode,
    createdBy: { username: stored.createdBy.username, name: stored.createdBy.name },
    createdById: stored.createdBy.id,
    moved: stored.moved,
    via: stored.via && { username: stored.via.username, name: stored.via.name },
    group: stored.group,
    jobType: stored.jobType,
    sweep: stored.sweepName,
    tags: stored.tags,
    notes: stored.notes,
    createdAt: stored.createdAt.toISOString(),
    heartbeatAt: stored.heartbeatAt.toISOString(),
    endedAt: stored.endedAt?.toISOString() ?? null,
    durationSeconds: durationSeconds(stored),
    branchedFrom: stored.branchedFrom,
  }
}

/** The experiment as the audit log names it. */
export function subjectOf({ teamId, id, slug, name, projectName }: StoredExperiment) {
  return { teamId, kind: 'experiment', id, details: { project: projectName, slug, name } }
}
