/** What came of the experiments of a sweep. */
import { endedStates } from '@teamgrid/api'
import { parametersIn } from '../experiments/service.ts'
import type { StoredExperiment } from '../experiments/types.ts'
import { findFlattened } from '../lib/flatten.ts'
import type { Outcome } from './deciding.ts'
import type { SweepsDeps } from './deps.ts'
import type { Course } from './hyperband.ts'
import type { SweepConfig } from './sweep-config.ts'
import type { StoredSweep } from './types.ts'

/** Of larger sweeps the newest are looked at. */
const experimentsMax = 5000
/** Extremes are exact at any thinning. */
const extremesPoints = 4
const coursesMax = 1000

export function createOutcomes({ experiments }: Pick<SweepsDeps, 'experiments'>) {
  /** Every experiment of the sweep with its values and the best of its metric. */
  async function outcomesOf(sweep: StoredSweep, { metric }: SweepConfig): Promise<Outcome[]> {
    const found = await experiments.ofSweep(sweep.projectId, sweep.slug, experimentsMax)
    const curves =
      metric === null
        ? new Map<string, number[]>()
        : await experiments.courses(found, metric.name, extremesPoints)
    return found.map((experiment) => {
      const logged = [...(curves.get(experiment.id) ?? [])]
      const last = metric === null ? null : summaryNumber(experiment, metric.name)
      if (last !== null) logged.push(last)
      const better = metric?.goal === 'maximize' ? Math.max : Math.min
      return {
        experimentId: experiment.id,
        state: experiment.state,
        values: parametersIn(experiment),
        best: logged.length === 0 ? null : better(...logged),
        latest: logged.at(-1) ?? null,
      }
    })
  }

  /** The metric of each experiment over its life, for stopping early. */
  async function coursesOf(sweep: StoredSweep, metric: string): Promise<Course[]> {
    const found = await experiments.ofSweep(sweep.projectId, sweep.slug, coursesMax, 'slim')
    const curves = await experiments.courses(found, metric)
    return found.map((experiment) => ({
      experimentId: experiment.id,
      isRunning: !endedStates.includes(experiment.state) && !experiment.stopRequested,
      values: curves.get(experiment.id) ?? [],
    }))
  }

  return { outcomesOf, coursesOf }
}

/** The last value of a metric; null when it is no finite number. */
export function summaryNumber({ summary }: Pick<StoredExperiment, 'summary'>, key: string): number | null {
  const value = findFlattened(summary, key)
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}
