/** What team mates see of sweeps. */
import {
  type ExperimentState,
  GridError,
  type Sweep,
  type SweepAgent,
  type SweepAnalysis,
  type SweepDetails,
  type SweepParameter,
} from '@teamgrid/api'
import type { Actor } from '../actor.ts'
import { parametersIn } from '../experiments/service.ts'
import type { Condition, StoredExperiment } from '../experiments/types.ts'
import { standingOf } from './deciding.ts'
import type { SweepsDeps } from './deps.ts'
import { correlation, type Feature } from './importance.ts'
import type { Learner } from './learner.ts'
import { createOutcomes, summaryNumber } from './outcomes.ts'
import { type Parameter, textOf, valueIn } from './parameters.ts'
import { expectedCount, readConfig } from './sweep-config.ts'
import * as store from './store.ts'
import * as trialStore from './trial-store.ts'
import type { StoredAgent, StoredSweep, SweepRef } from './types.ts'

export type ProjectRef = { team: string; project: string }
type ListInput = ProjectRef & { search?: string; limit: number; cursor?: string }

/** Of the best, so many may have logged what is no number. */
const candidatesMax = 50
/** A sweep larger than the page is shown by its newest experiments and the best ones of all. */
const bestShown = 100

export function createReading({
  db,
  access,
  teams,
  experiments,
  learner,
}: SweepsDeps & { learner: Learner }) {
  const { slugsOfBest } = createOutcomes({ db, experiments })

  /** The sweep, if the actor may see it. */
  async function find(actor: Actor, ref: SweepRef): Promise<StoredSweep | undefined> {
    return await readable(actor, await store.findSweep(db, ref))
  }

  async function findById(actor: Actor, id: string): Promise<StoredSweep | undefined> {
    return await readable(actor, await store.findSweepById(db, id))
  }

  async function readable(actor: Actor, found: StoredSweep | undefined) {
    return found && (await access.permits(actor, 'run:read', found)) ? found : undefined
  }

  /** A page of a project's sweeps as stored. A limit of 0 only counts. */
  async function page(
    actor: Actor,
    input: ProjectRef & { search?: string; where?: Condition; offset: number; limit: number },
  ): Promise<{ sweeps: StoredSweep[]; total: number }> {
    const project = await access.allowed(
      actor,
      'project:read',
      teams.findProjectGuard(input.team, input.project),
    )
    return await store.listSweeps(db, project.id, input)
  }

  async function list(
    actor: Actor,
    { cursor, ...input }: ListInput,
  ): Promise<{ items: Sweep[]; nextCursor: string | null; total: number }> {
    const offset = cursor === undefined ? 0 : Number(cursor)
    if (!Number.isSafeInteger(offset) || offset < 0)
      throw new GridError('invalid', 'This cursor is not one that was handed out.')
    const { sweeps, total } = await page(actor, { ...input, offset })
    const end = offset + sweeps.length
    return { items: await shownAll(actor, sweeps), nextCursor: end < total ? String(end) : null, total }
  }

  async function get(actor: Actor, ref: SweepRef): Promise<SweepDetails> {
    return await details(actor, await access.allowed(actor, 'run:read', store.findSweep(db, ref)))
  }

  async function details(actor: Actor, sweep: StoredSweep): Promise<SweepDetails> {
    const { config, warnings } = readConfig(sweep.config)
    return {
      ...(await shown(actor, sweep)),
      description: sweep.description,
      config: sweep.configText,
      parameters: config.parameters.map(parameterOf),
      runCap: config.runCap,
      earlyTermination: config.hyperband,
      isLocal: config.isLocal,
      agentList: await agentList(sweep),
      warnings,
    }
  }

  async function shown(actor: Actor, sweep: StoredSweep): Promise<Sweep> {
    return (await shownAll(actor, [sweep]))[0]!
  }

  /** All of one project. */
  async function shownAll(actor: Actor, sweeps: readonly StoredSweep[]): Promise<Sweep[]> {
    const [first] = sweeps
    if (!first) return []
    const slugs = sweeps.map((sweep) => sweep.slug)
    const ids = sweeps.map((sweep) => sweep.id)
    const [counts, moved, agents] = await Promise.all([
      store.countStates(db, first.projectId, slugs),
      store.countMoved(db, ids),
      store.liveAgentCounts(db, ids),
    ])
    return await Promise.all(
      sweeps.map(async (sweep) => {
        const { config } = readConfig(sweep.config)
        return {
          id: sweep.id,
          team: sweep.teamSlug,
          project: sweep.projectName,
          slug: sweep.slug,
          name: sweep.name ?? sweep.slug,
          state: sweep.state,
          method: config.method,
          metric: config.metric && { name: config.metric.name, goal: config.metric.goal },
          createdBy: { username: sweep.createdBy.username, name: sweep.createdBy.name },
          createdById: sweep.createdBy.id,
          createdAt: sweep.createdAt.toISOString(),
          updatedAt: sweep.updatedAt.toISOString(),
          heartbeatAt: sweep.heartbeatAt?.toISOString() ?? null,
          endedAt: sweep.endedAt?.toISOString() ?? null,
          counts: countsOf(counts.get(sweep.slug) ?? {}, moved.get(sweep.id)),
          expected: expectedCount(config),
          agents: agents.get(sweep.id) ?? 0,
          best: await bestOf(actor, sweep),
        }
      }),
    )
  }

  /** The experiment with the best last value of the metric. */
  async function bestOf(actor: Actor, sweep: StoredSweep): Promise<Sweep['best']> {
    const { metric } = readConfig(sweep.config).config
    if (!metric) return null
    const column = `summary.${metric.name}`
    const { rows } = await experiments.query(actor, {
      team: sweep.teamSlug,
      project: sweep.projectName,
      filters: [
        { column: 'sweep', op: 'eq', value: sweep.slug },
        { column, op: 'exists' },
      ],
      sort: [{ column, descending: metric.goal === 'maximize' }],
      columns: [column],
      limit: candidatesMax,
    })
    // Text such as "NaN" is no value to be best with.
    for (const { slug, name, values } of rows) {
      const value = values[column]
      if (typeof value === 'number' && Number.isFinite(value)) return { slug, name, value }
    }
    return null
  }

  async function agentList(sweep: StoredSweep): Promise<SweepAgent[]> {
    const [agents, trials] = await Promise.all([
      store.agentsOf(db, sweep.id),
      trialStore.openTrials(db, sweep.id),
    ])
    const open = trials.filter((trial) => ['unstarted', 'running'].includes(standingOf(trial)))
    const slugs = open.flatMap(({ slug }) => slug ?? [])
    const present =
      slugs.length === 0
        ? []
        : await experiments.ofSweep(sweep.projectId, sweep.slug, slugs.length, 'slim', slugs)
    const names = new Map(present.map((experiment) => [experiment.slug, experiment.name]))
    return agents.map((agent) => {
      const current = open.find((trial) => trial.agentId === agent.id)?.slug
      return {
        id: agent.id,
        name: agent.label,
        host: agent.host,
        user: agent.user,
        state: agent.state,
        createdAt: agent.createdAt.toISOString(),
        heartbeatAt: agent.heartbeatAt.toISOString(),
        experiments: agent.trials,
        current: current ? { slug: current, name: names.get(current) ?? current } : null,
      }
    })
  }

  /** Agents as stored, newest first. The caller has found the sweep by `find`. */
  function agents(sweep: StoredSweep): Promise<StoredAgent[]> {
    return store.agentsOf(db, sweep.id)
  }

  /**
   * A page of the experiments of a sweep in the order of their making; of an agent only those it was given.
   * @param place offset and length, once it is known how many there are.
   */
  async function experimentsOf(
    sweep: StoredSweep,
    place: (total: number) => { offset: number; limit: number; isReversed?: boolean },
    only: { agentId?: string; isPrior?: boolean } = {},
  ): Promise<{ experiments: StoredExperiment[]; offset: number; total: number }> {
    const found = await trialStore.experimentSlugs(db, sweep, {
      ...(only.agentId === undefined ? {} : { agentId: only.agentId }),
      ...(only.isPrior ? { before: sweep.createdAt } : {}),
    })
    const { offset, limit, isReversed } = place(found.length)
    const slugs = (isReversed ? found.toReversed() : found).slice(offset, offset + limit)
    const present =
      slugs.length === 0
        ? []
        : await experiments.ofSweep(sweep.projectId, sweep.slug, slugs.length, 'whole', slugs)
    return { experiments: isReversed ? present.toReversed() : present, offset, total: found.length }
  }

  async function experimentCount(sweep: StoredSweep): Promise<number> {
    return countsOf((await store.countStates(db, sweep.projectId, [sweep.slug])).get(sweep.slug) ?? {}).total
  }

  async function analysis(
    actor: Actor,
    { limit, ...ref }: SweepRef & { limit: number },
  ): Promise<SweepAnalysis> {
    const sweep = await access.allowed(actor, 'metric:read', store.findSweep(db, ref))
    const { config } = readConfig(sweep.config)
    const total = await experimentCount(sweep)
    const newest = (await experiments.ofSweep(sweep.projectId, sweep.slug, limit)).toReversed()
    const found = [...newest, ...(total > newest.length ? await bestBeyond(actor, sweep, newest) : [])]
    const metric = config.metric?.name
    const rows = found.map((experiment) => {
      const values = parametersIn(experiment)
      return {
        experiment,
        values: config.parameters.map(({ path }) => valueIn(values, path)),
        metric: metric === undefined ? null : summaryNumber(experiment, metric),
      }
    })
    const known = rows.filter((row) => row.metric !== null)
    const targets = known.map((row) => row.metric!)
    const varying = config.parameters
      .map((parameter, index) => ({
        parameter,
        index,
        feature: featureOf(
          parameter,
          known.map((row) => row.values[index]),
        ),
      }))
      .filter(
        ({ index, parameter }) =>
          parameter.distribution !== 'constant' || varies(rows.map((row) => row.values[index])),
      )
    const shares = await learner.importances(
      varying.map(({ feature }) => feature),
      targets,
    )
    const parameters = varying.map(({ parameter, feature }, position) => ({
      ...parameterOf(parameter),
      importance: shares?.[position] ?? null,
      correlation: feature.isOrdered ? correlation(feature.values, targets) : null,
    }))
    return {
      parameters: parameters.toSorted((a, b) => (b.importance ?? 0) - (a.importance ?? 0)),
      rows: rows.map(({ experiment, values, metric: value }) => ({
        id: experiment.id,
        slug: experiment.slug,
        name: experiment.name,
        state: experiment.state,
        values: Object.fromEntries(
          varying.flatMap(({ parameter, index }) =>
            values[index] === undefined ? [] : [[parameter.name, values[index]]],
          ),
        ),
        metric: value,
      })),
      learnedFrom: shares === null ? 0 : known.length,
      newest: newest.length,
      total,
    }
  }

  /** The best experiments of all that are not among these, newest first. */
  async function bestBeyond(
    actor: Actor,
    sweep: StoredSweep,
    newest: readonly StoredExperiment[],
  ): Promise<StoredExperiment[]> {
    const { metric } = readConfig(sweep.config).config
    if (!metric) return []
    const shown = new Set(newest.map(({ slug }) => slug))
    const slugs = (await slugsOfBest(actor, sweep, metric, bestShown)).filter((slug) => !shown.has(slug))
    if (slugs.length === 0) return []
    return (await experiments.ofSweep(sweep.projectId, sweep.slug, slugs.length, 'whole', slugs)).toReversed()
  }

  return {
    find,
    findById,
    page,
    list,
    get,
    details,
    shown,
    bestOf,
    agents,
    experimentsOf,
    experimentCount,
    analysis,
  }
}

/** Numbers as they are, on the scale they are drawn from; anything else as the number of its kind. */
function featureOf(parameter: Parameter, values: readonly unknown[]): Feature {
  const isOrdered = values.every((value) => typeof value === 'number' || typeof value === 'boolean')
  if (isOrdered && values.length > 0) {
    const isLogarithmic = isLog(parameter) && values.every((value) => (value as number) > 0)
    return {
      isOrdered,
      values: values.map((value) => (isLogarithmic ? Math.log(value as number) : Number(value))),
    }
  }
  const kinds = new Map<string, number>()
  return {
    isOrdered: false,
    values: values.map((value) => {
      const text = textOf(value)
      if (!kinds.has(text)) kinds.set(text, kinds.size)
      return kinds.get(text)!
    }),
  }
}

function varies(values: readonly unknown[]): boolean {
  return new Set(values.map(textOf)).size > 1
}

function isLog({ distribution }: Parameter): boolean {
  return distribution.includes('log_')
}

function parameterOf(parameter: Parameter): SweepParameter {
  const { name, distribution, isCategorical } = parameter
  return { name, distribution, isCategorical, isLogarithmic: isLog(parameter) }
}

function countsOf(states: Partial<Record<ExperimentState, number>>, moved = 0): Sweep['counts'] {
  const sum = (...names: ExperimentState[]) => names.reduce((total, name) => total + (states[name] ?? 0), 0)
  const counts = {
    running: sum('running', 'preempting'),
    waiting: sum('pending'),
    finished: sum('finished'),
    failed: sum('failed', 'crashed'),
    stopped: sum('killed', 'preempted'),
    // Whatever became of them is told where they are.
    moved,
  }
  return { total: Object.values(counts).reduce((total, count) => total + count, 0), ...counts }
}
