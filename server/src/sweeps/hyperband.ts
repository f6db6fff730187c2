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
  const thresholds = bands.map((band) => {
    const there = losses.flatMap((course) => course.losses[band - 1] ?? []).toSorted((a, b) => a - b)
    return there[Math.floor(there.length / eta)] ?? Infinity
  })
  return losses.flatMap((course) => {
    if (!course.isRunning) return []
    const passed = bands.findLastIndex((band) => band <= course.losses.length)
    if (passed === -1) return []
    const value = strict ? course.losses[bands[passed]! - 1]! : Math.min(...course.losses)
    return value > thresholds[passed]! ? [course.experimentId] : []
  })
}
