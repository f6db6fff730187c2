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
      const value = aggregated(condition.aggregate, values, 0, values.length)
      return compared(value, condition.operator, condition.value)
        ? { value, reference: condition.value }
        : undefined
    }
    case 'change': {
      if (values.length < valuesNeeded(condition)) return undefined
      const size = condition.aggregate === null ? 1 : condition.windowValues
      const border = values.length - size
      const value = aggregated(condition.aggregate, values, border, values.length)
      const reference = aggregated(condition.aggregate, values, 0, border)
      const change =
        condition.by === 'absolute' ? value - reference : (value - reference) / Math.abs(reference)
      // From zero everything is an infinite change, which says nothing; from NaN nothing can be said.
      return Number.isFinite(change) && isInDirection(change, condition.direction, condition.amount)
        ? { value, reference }
        : undefined
    }
    case 'zscore': {
      if (values.length < valuesNeeded(condition)) return undefined
      const { mean, variance } = spreadOf(values, values.length - 1)
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

/** Of `values[from]` up to, but not, `values[to]`. A loop without copies: it runs for every line and rule. */
function aggregated(
  aggregate: 'average' | 'min' | 'max' | null,
  values: readonly number[],
  from: number,
  to: number,
): number {
  if (aggregate === null) return values[to - 1] ?? NaN
  let count = 0
  let found = aggregate === 'average' ? 0 : NaN
  for (let at = from; at < to; at += 1) {
    const value = values[at]!
    if (Number.isNaN(value)) continue
    count += 1
    if (aggregate === 'average') found += value
    else if (count === 1 || (aggregate === 'min' ? value < found : value > found)) found = value
  }
  if (count === 0) return NaN
  return aggregate === 'average' ? found / count : found
}

/** Mean and sample variance of the finite ones among the first `count`; in two passes, which cancel nothing out. */
function spreadOf(values: readonly number[], count: number): { mean: number; variance: number } {
  let finite = 0
  let sum = 0
  for (let at = 0; at < count; at += 1)
    if (Number.isFinite(values[at]!)) {
      finite += 1
      sum += values[at]!
    }
  const mean = sum / finite
  let squares = 0
  for (let at = 0; at < count; at += 1) if (Number.isFinite(values[at]!)) squares += (values[at]! - mean) ** 2
  return { mean, variance: squares / (finite - 1) }
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
