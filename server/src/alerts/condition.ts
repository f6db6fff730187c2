/** When a rule on a metric speaks: arithmetic on the values logged last. Pure. */
import type { AlertCondition } from '@teamgrid/api'

export type MetricCondition = Extract<
  AlertCondition,
  { kind: 'threshold' | 'change' | 'zscore' | 'nonfinite' }
>

/** What was seen, for the sentence; `reference` is what it was compared with. */
export type Finding = { value: number; reference: number | null }

export function isMetricCondition(condition: AlertCondition): condition is MetricCondition {
  return ['threshold', 'change', 'zscore', 'nonfinite'].includes(condition.kind)
}

/** How many of the newest values a condition looks at, at most 1000. */
export function valuesNeeded(condition: MetricCondition): number {
  switch (condition.kind) {
    case 'threshold':
      return condition.aggregate === null ? 1 : condition.windowValues
    case 'change':
      return condition.aggregate === null ? 2 : condition.windowValues + condition.priorValues
    case 'zscore':
      return condition.windowValues + 1
    case 'nonfinite':
      return 1
  }
  return condition satisfies never
}

/**
 * Whether the condition holds for the newest value.
 *
 * @param values in the order they were logged, as many as `valuesNeeded` or fewer; the last is the newest. NaN is never
 *   above or below anything: only `nonfinite` sees it, and windows leave it out.
 */
export function findingOf(condition: MetricCondition, values: readonly number[]): Finding | undefined {
  const newest = values.at(-1)
  if (newest === undefined) return undefined
  switch (condition.kind) {
    case 'nonfinite':
      return Number.isFinite(newest) ? undefined : { value: newest, reference: null }
    case 'threshold': {
      if (values.length < valuesNeeded(condition)) return undefined
      const value = aggregated(condition.aggregate, values)
      return compared(value, condition.operator, condition.value)
        ? { value, reference: condition.value }
        : undefined
    }
    case 'change': {
      if (values.length < valuesNeeded(condition)) return undefined
      const size = condition.aggregate === null ? 1 : condition.windowValues
      const value = aggregated(condition.aggregate, values.slice(-size))
      const reference = aggregated(condition.aggregate, values.slice(0, -size))
      const change =
        condition.by === 'absolute' ? value - reference : (value - reference) / Math.abs(reference)
      // From zero everything is an infinite change, which says nothing; from NaN nothing can be said.
      return Number.isFinite(change) && isInDirection(change, condition.direction, condition.amount)
        ? { value, reference }
        : undefined
    }
    case 'zscore': {
      if (values.length < valuesNeeded(condition)) return undefined
      const before = values.slice(0, -1).filter(Number.isFinite)
      const mean = before.reduce((sum, each) => sum + each, 0) / before.length
      const variance = before.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (before.length - 1)
      const score = (newest - mean) / Math.sqrt(variance)
      return Number.isFinite(score) && isInDirection(score, condition.direction, condition.deviations)
        ? { value: newest, reference: mean }
        : undefined
    }
  }
  return condition satisfies never
}

/** Whether a finished experiment's value is worse than the baseline's by more than the tolerance allows. */
export function isRegression(
  condition: Extract<AlertCondition, { kind: 'regression' }>,
  value: number,
  baseline: number,
): boolean {
  if (Number.isNaN(value)) return true
  const worse = condition.goal === 'minimize' ? value - baseline : baseline - value
  return worse > condition.tolerance * Math.abs(baseline)
}

function aggregated(aggregate: 'average' | 'min' | 'max' | null, values: readonly number[]): number {
  const finite = values.filter((value) => !Number.isNaN(value))
  if (aggregate === null) return values.at(-1)!
  if (finite.length === 0) return NaN
  if (aggregate === 'min') return Math.min(...finite)
  if (aggregate === 'max') return Math.max(...finite)
  return finite.reduce((sum, value) => sum + value, 0) / finite.length
}

function compared(value: number, operator: 'gt' | 'gte' | 'lt' | 'lte', bound: number): boolean {
  if (operator === 'gt') return value > bound
  if (operator === 'gte') return value >= bound
  if (operator === 'lt') return value < bound
  return value <= bound
}

function isInDirection(change: number, direction: 'increase' | 'decrease' | 'any', amount: number): boolean {
  if (direction === 'increase') return change >= amount
  if (direction === 'decrease') return change <= -amount
  return Math.abs(change) >= amount
}
