/**
 * Stopping early what is worse than the rest. After certain numbers of logged values (the bands) an experiment is
 * compared with all that came as far: only the best 1/eta of them go on.
 * Source: Li et al., “Hyperband”, JMLR 2018, in the asynchronous form that docs.wandb.ai describes for sweeps
 * (“Early termination”): nobody waits for the others.
 */
import type { Goal, Hyperband } from './sweep-config.ts'

/** The metric of one experiment, in the order of its logging; only finite values. */
export type Course = { experimentId: string; isRunning: boolean; values: readonly number[] }

/** @returns the ids of running experiments that shall end. */
export function toStop({ bands, eta, strict }: Hyperband, goal: Goal, courses: readonly Course[]): string[] {
  const losses = courses.map(({ values, ...course }) => ({
    ...course,
    losses: goal === 'maximize' ? values.map((value) => -value) : values,
  }))
  const compared = bands.map((band) => {
    const there = losses.flatMap((course) => course.losses[band - 1] ?? []).toSorted((a, b) => a - b)
    return { band, count: there.length, threshold: there[Math.floor(there.length / eta)] ?? Infinity }
  })
  return losses.flatMap((course) => {
    if (!course.isRunning) return []
    // Values arrive many at a time, so a lone front-runner is judged by the last band that others have reached too.
    const last = compared.findLast(({ band, count }) => band <= course.losses.length && count > 1)
    if (last === undefined) return []
    const value = strict ? course.losses[last.band - 1]! : Math.min(...course.losses)
    return value > last.threshold ? [course.experimentId] : []
  })
}
