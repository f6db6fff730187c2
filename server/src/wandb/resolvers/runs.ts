/** What a run (our experiment) is, as the client reads it. Parents are `StoredExperiment`s. */
import { endedStates } from '@teamgrid/api'
import type { Actor } from '../../actor.ts'
import type { Experiments } from '../../experiments/service.ts'
import type { StoredExperiment } from '../../experiments/types.ts'
import { isJsonObject } from '../../lib/tolerant-json.ts'
import type { Teams } from '../../teams/service.ts'
import type { Stream } from '../../stores/clickhouse/metric-types.ts'
import { createBatch } from '../batch.ts'
import type { Resolvers, WandbContext } from '../graphql.ts'
import { runCondition, runSort } from '../run-filters.ts'
import { storageId, wandbPart } from '../words.ts'
import { connectionOf, lengthOf, offsetOf, type PageArguments } from './connections.ts'
import type { ProjectNode } from './places.ts'

type Deps = { experiments: Experiments; teams: Teams }
type RunsArguments = PageArguments & { filters?: string | null; order?: string | null }

const runsPerPage = 50
const runsPerPageMax = 1000

export function runResolvers({ experiments, teams }: Deps): Resolvers {
  const run = (project: ProjectNode, { name }: { name: string }, { actor }: WandbContext) =>
    // `wandb verify` asks for the run "" and wants null for it.
    name === ''
      ? null
      : experiments.find(actor, { team: project.teamSlug, project: project.name, slug: name })

  /** Totals that the same request finds anyway: the client asks for a page and for the count of it at once. */
  const totals = new WeakMap<ProjectNode, Map<string, Promise<number>>>()

  async function runs(project: ProjectNode, args: RunsArguments, { actor }: WandbContext) {
    const offset = offsetOf(args.after)
    const page = experiments.page(actor, {
      team: project.teamSlug,
      project: project.name,
      ...conditionOf(args.filters),
      sort: runSort(args.order),
      offset,
      limit: Math.min(lengthOf(args.first, runsPerPage), runsPerPageMax),
    })
    const known = totals.get(project) ?? new Map<string, Promise<number>>()
    totals.set(
      project,
      known.set(
        args.filters ?? '',
        page.then(({ total }) => total),
      ),
    )
    const { experiments: found, total } = await page
    return { ...connectionOf(found, offset, offset + found.length < total), totalCount: total }
  }

  async function count(project: ProjectNode, filters: string | null | undefined, actor: Actor) {
    // Fields beside this one begin in the same turn.
    await Promise.resolve()
    const known = totals.get(project)?.get(filters ?? '')
    if (known) return known
    const ref = { team: project.teamSlug, project: project.name }
    const { total } = await experiments.page(actor, {
      ...ref,
      ...conditionOf(filters),
      sort: [],
      offset: 0,
      limit: 0,
    })
    return total
  }

  const newest = {
    history: createBatch((_, runs: StoredExperiment[]) => experiments.newestOfEach(runs, 'history')),
    system: createBatch((_, runs: StoredExperiment[]) => experiments.newestOfEach(runs, 'system')),
  }

  const tail = (stream: Stream) => async (experiment: StoredExperiment, _: object, context: WandbContext) => {
    const line = await newest[stream](context, experiment)
    // A list of lines, each JSON text itself, all of it in one string.
    return JSON.stringify(line === undefined ? [] : [line])
  }

  return {
    Project: {
      run,
      bucket: run,
      runs,
      buckets: runs,
      runCount: (project: ProjectNode, { filters }: RunsArguments, { actor }) =>
        count(project, filters, actor),
    },
    Run: {
      id: ({ id }: StoredExperiment) => storageId('Run', id),
      projectId: ({ projectNumber }: StoredExperiment) => projectNumber,
      name: ({ slug }: StoredExperiment) => slug,
      displayName: ({ name }: StoredExperiment) => name,
      // A relic: people write notes.
      description: () => null,
      exitcode: ({ exitCode }: StoredExperiment) => exitCode,
      failed: ({ state }: StoredExperiment) => state === 'failed' || state === 'crashed',
      running: ({ state }: StoredExperiment) => state === 'running',
      stopped: ({ stopRequested }: StoredExperiment) => stopRequested,
      shouldStop: ({ stopRequested, state }: StoredExperiment) =>
        stopRequested && !endedStates.includes(state),
      readOnly: () => false,
      config: ({ config }: StoredExperiment) => JSON.stringify(config),
      summaryMetrics: ({ summary }: StoredExperiment) => JSON.stringify(summary),
      systemMetrics: async (experiment: StoredExperiment, _: object, context: WandbContext) =>
        (await newest.system(context, experiment)) ?? '{}',
      wandbConfig: ({ config }: StoredExperiment, { keys }: { keys?: string[] | null }) =>
        JSON.stringify(pick(wandbPart(config), keys)),
      project: ({ teamId, projectName }: StoredExperiment) => teams.findProject(teamId, projectName),
      user: ({ createdBy }: StoredExperiment) => createdBy,
      historyLineCount: ({ historyLines }: StoredExperiment) => historyLines,
      eventsLineCount: ({ systemLines }: StoredExperiment) => systemLines,
      logLineCount: ({ consoleLines }: StoredExperiment) => consoleLines,
      historyTail: tail('history'),
      eventsTail: tail('system'),
      runInfo: runInfoOf,
    },
  }
}

function pick(values: Record<string, unknown>, keys: string[] | null | undefined): Record<string, unknown> {
  if (!keys) return values
  return Object.fromEntries(keys.filter((key) => Object.hasOwn(values, key)).map((key) => [key, values[key]]))
}

function conditionOf(filters: string | null | undefined) {
  const condition = runCondition(filters)
  return condition === undefined ? {} : { condition }
}

/** The environment that the run's first process reported, which is also its `wandb-metadata.json`. */
function runInfoOf({ config, program, commit, repo }: StoredExperiment) {
  const environments = wandbPart(config).e
  const [reported] = isJsonObject(environments) ? Object.values(environments) : []
  const environment = isJsonObject(reported) ? reported : {}
  const git = isJsonObject(environment.git) ? environment.git : {}
  return {
    program: text(environment.program) ?? program,
    args: Array.isArray(environment.args) ? environment.args.map(String) : [],
    os: text(environment.os),
    python: text(environment.python),
    colab: text(environment.colab),
    executable: text(environment.executable),
    codeSaved: typeof environment.codePath === 'string',
    cpuCount: count(environment.cpu_count),
    gpuCount: count(environment.gpu_count),
    gpu: text(environment.gpu),
    git: { remote: text(git.remote) ?? repo, commit: text(git.commit) ?? commit },
  }
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)
const count = (value: unknown): number | null => (typeof value === 'number' ? Math.trunc(value) : null)
