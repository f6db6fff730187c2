import { AlertCondition } from '@teamgrid/api'
import { expect, test } from 'vitest'
import { findingOf, isRegression, type MetricCondition, valuesNeeded } from './condition.ts'

const condition = (given: object) => AlertCondition.parse({ metric: 'loss', ...given }) as MetricCondition

const above = condition({ kind: 'threshold', operator: 'gt', value: 1 })
const averageBelow = condition({
  kind: 'threshold',
  operator: 'lt',
  value: 1,
  aggregate: 'average',
  windowValues: 3,
})
const drop = condition({ kind: 'change', direction: 'decrease', by: 'relative', amount: 0.5 })
const rise = condition({ kind: 'change', direction: 'increase', by: 'absolute', amount: 2 })
const windows = condition({
  kind: 'change',
  direction: 'any',
  by: 'absolute',
  amount: 1,
  aggregate: 'max',
  windowValues: 2,
  priorValues: 2,
})
const odd = condition({ kind: 'zscore', windowValues: 4, deviations: 3 })
const nan = condition({ kind: 'nonfinite' })

test.each([
  ['nothing logged', above, []],
  ['not above', above, [1]],
  ['NaN is not above', above, [NaN]],
  ['too few for the window', averageBelow, [0, 0]],
  ['the average is not below', averageBelow, [0, 0, 3]],
  ['one value is no change', drop, [1]],
  ['a third is not half', drop, [3, 2]],
  ['up is not down', drop, [1, 5]],
  ['from zero no share can be told', drop, [0, -5]],
  ['from NaN nothing can be told', rise, [NaN, 5]],
  ['not that far up', rise, [1, 2.9]],
  ['a window is missing', windows, [1, 1, 9]],
  ['as ever', odd, [1, 2, 1, 2, 1.5]],
  ['never moved before', odd, [1, 1, 1, 1, 5]],
  ['a plain number', nan, [1]],
])('quiet: %s', (_name, rule, values) => {
  expect(findingOf(rule, values)).toBeUndefined()
})

test.each([
  ['above', above, [1.5], { value: 1.5, reference: 1 }],
  ['infinitely above', above, [Infinity], { value: Infinity, reference: 1 }],
  ['the average is below', averageBelow, [0, 1.5, 0], { value: 0.5, reference: 1 }],
  ['NaN is left out of a window', averageBelow, [0, NaN, 1], { value: 0.5, reference: 1 }],
  ['halved', drop, [4, 2], { value: 2, reference: 4 }],
  ['a negative number fell', drop, [-4, -6], { value: -6, reference: -4 }],
  ['up by two', rise, [1, 3], { value: 3, reference: 1 }],
  ['the window’s highest rose', windows, [1, 2, 0, 3], { value: 3, reference: 2 }],
  ['far off', odd, [1, 2, 1, 2, 9], { value: 9, reference: 1.5 }],
  ['NaN', nan, [NaN], { value: NaN, reference: null }],
  ['infinite', nan, [-Infinity], { value: -Infinity, reference: null }],
])('speaks: %s', (_name, rule, values, finding) => {
  expect(findingOf(rule, values)).toEqual(finding)
})

test('a rule asks for no more values than it looks at', () => {
  expect([above, averageBelow, drop, windows, odd, nan].map(valuesNeeded)).toEqual([1, 3, 2, 4, 5, 1])
})

test.each([
  ['minimize', 0.1, 1.05, 1, false],
  ['minimize', 0.1, 1.2, 1, true],
  ['minimize', 0, 0.9, 1, false],
  ['minimize', 0.1, -0.95, -1, false],
  ['minimize', 0.01, -0.95, -1, true],
  ['maximize', 0, 0.89, 0.9, true],
  ['maximize', 0.05, 0.89, 0.9, false],
  ['maximize', 0, NaN, 0.9, true],
] as const)(
  '%s with tolerance %s: %s after %s is a regression: %s',
  (goal, tolerance, value, baseline, is) => {
    const rule = AlertCondition.parse({ kind: 'regression', metric: 'm', goal, tolerance })
    expect(isRegression(rule as never, value, baseline)).toBe(is)
  },
)
