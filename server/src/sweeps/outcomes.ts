/** What came of the experiments of a sweep. */
import { endedStates } from '@teamgrid/api'
import type { Actor } from '../actor.ts'
import { parametersIn } from '../experiments/service.ts'
import type { StoredExperiment } from '../experiments/types.ts'
import { findFlattened } from '../lib/flatten.ts'
import type { Outcome } from './deciding.ts'
import type { SweepsDeps } from './deps.ts'
import type { Course } from './hyperband.ts'
import type { Values } from './parameters.ts'
import type { Metric } from './sweep-config.ts'
import * as trialStore from './trial-store.ts'
import type { StoredSweep } from './types.ts'

/** A model looks at the newest experiments and at the best ones of all: it learns from a hundred of them anyway. */
const newestMax = 1000
const bestMax = 200
/** Experiments that the sweep did not choose itself. */
const priorsMax = 1000
/** Extremes are exact at any thinning. */
const extremesPoints = 4
/** Running experiments are compared with the newest that ended. */
const coursesMax = 1000
const runningMax = 5000
/** Sweeps whose ended experiments are remembered. */
const rememberedSweepsMax = 50

type Remembered = { version: string; outcome: Outcome }

export function createOutcomes({ db, experiments }: Pick<SweepsDeps, 'db' | 'experiments'>) {
  // What ended does not change, unless somebody changes it, and reading thousands for every suggestion takes a while.
  const remembered = new Map<string, Map<string, Remembered>>()

  /** The newest experiments of the sweep and the best ones of all, oldest first, with the best of the metric of each. */
  async function outcomesOf(actor: Actor, sweep: StoredSweep, metric: Metric): Promise<Outcome[]> {
    const best = await slugsOfBest(actor, sweep, metric, bestMax)
    const [newest, others] = await Promise.all([
      experiments.ofSweep(sweep.projectId, sweep.slug, newestMax, 'slim'),
      experiments.ofSweep(sweep.projectId, sweep.slug, bestMax, 'slim', best),
    ])
    const isNewest = new Set(newest.map(({ id }) => id))
    const window = [...others.filter(({ id }) => !isNewest.has(id)), ...newest]
    const before = remembered.get(sweep.id) ?? new Map<string, Remembered>()
    const changed = window.filter((each) => before.get(each.id)?.version !== versionOf(each, metric))
    const read = await readOutcomes(sweep, metric, changed)
    const now = new Map<string, Remembered>()
    const outcomes = window.flatMap((experiment) => {
      const outcome = read.get(experiment.id) ?? before.get(experiment.id)?.outcome
      // Deleted between two questions.
      if (!outcome) return []
      if (endedStates.includes(outcome.state))
        now.set(experiment.id, { version: versionOf(experiment, metric), outcome })
      return [outcome]
    })
    remembered.delete(sweep.id)
    remembered.set(sweep.id, now)
    if (remembered.size > rememberedSweepsMax) remembered.delete(remembered.keys().next().value!)
    return outcomes
  }

  async function readOutcomes(
    sweep: StoredSweep,
    metric: Metric,
    slim: readonly StoredExperiment[],
  ): Promise<Map<string, Outcome>> {
    if (slim.length === 0) return new Map()
    const slugs = slim.map(({ slug }) => slug)
    const ids = slim.map(({ id }) => id)
    const found = await experiments.ofSweep(sweep.projectId, sweep.slug, slim.length, 'whole', slugs)
    const [curves, chosen] = await Promise.all([
      experiments.courses(found, metric.name, extremesPoints),
      trialStore.chosenValues(db, sweep.id, ids),
    ])
    const better = metric.goal === 'maximize' ? Math.max : Math.min
    return new Map(
      found.map((experiment) => {
        const logged = [...(curves.get(experiment.id) ?? [])]
        const last = summaryNumber(experiment, metric.name)
        if (last !== null) logged.push(last)
        const values = chosen.get(experiment.id)
        return [
          experiment.id,
          {
            experimentId: experiment.id,
            state: experiment.state,
            values: values ?? parametersIn(experiment),
            isPrior: values === undefined,
            best: logged.length === 0 ? null : better(...logged),
            latest: logged.at(-1) ?? null,
          },
        ]
      }),
    )
  }

  /** By the last value of the metric. */
  async function slugsOfBest(
    actor: Actor,
    sweep: StoredSweep,
    { name, goal }: Pick<Metric, 'name' | 'goal'>,
    limit: number,
  ): Promise<string[]> {
    const column = `summary.${name}`
    const { rows } = await experiments.query(actor, {
      team: sweep.teamSlug,
      project: sweep.projectName,
      filters: [
        { column: 'sweep', op: 'eq', value: sweep.slug },
        { column, op: 'exists' },
      ],
      sort: [{ column, descending: goal === 'maximize' }],
      columns: [],
      limit,
    })
    return rows.map(({ slug }) => slug)
  }

  /** The parameters of what the sweep did not choose itself. */
  async function priorValues(sweep: StoredSweep): Promise<Values[]> {
    const slugs = await trialStore.priorSlugs(db, sweep, priorsMax)
    if (slugs.length === 0) return []
    const found = await experiments.ofSweep(sweep.projectId, sweep.slug, priorsMax, 'whole', slugs)
    return found.map(parametersIn)
  }

  /** The metric over the life of what runs and of the newest that ended, for stopping early. */
  async function coursesOf(sweep: StoredSweep, metric: string): Promise<Course[]> {
    const running = await trialStore.experimentSlugs(db, sweep, { isLive: true })
    const [newest, live] = await Promise.all([
      experiments.ofSweep(sweep.projectId, sweep.slug, coursesMax, 'slim'),
      experiments.ofSweep(sweep.projectId, sweep.slug, runningMax, 'slim', running),
    ])
    const found = [...new Map([...live, ...newest].map((each) => [each.id, each])).values()]
    const curves = await experiments.courses(found, metric)
    return found.map((experiment) => ({
      experimentId: experiment.id,
      isRunning: !endedStates.includes(experiment.state) && !experiment.stopRequested,
      values: curves.get(experiment.id) ?? [],
    }))
  }

  return { outcomesOf, coursesOf, priorValues, slugsOfBest }
}

function versionOf({ state, updatedAt, heartbeatAt, historyLines }: StoredExperiment, metric: Metric) {
  return [metric.name, metric.goal, state, updatedAt.getTime(), heartbeatAt.getTime(), historyLines].join(' ')
}

/** The last value of a metric; null when it is no finite number. */
export function summaryNumber({ summary }: Pick<StoredExperiment, 'summary'>, key: string): number | null {
  const value = findFlattened(summary, key)
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}
