import { AlertCondition, wordsOfCondition } from '@teamgrid/api'
import { expect, test } from 'vitest'
import { conditionOf } from './alert-condition.ts'

test.each([
  'high loss',
  '> 3',
  'loss >',
  'loss > many',
  'loss rises by -1',
  'average of 0 x loss > 1',
  'no sign of life for 10 s',
  'a script reports gossip',
  'exploded',
  'an artifact gets lost',
  '',
])('"%s" is refused', (text) => {
  expect(() => conditionOf(text)).toThrow(expect.objectContaining({ code: 'invalid' }))
})

test.each([
  ['val/loss>2', { kind: 'threshold', metric: 'val/loss', operator: 'gt', value: 2, aggregate: null }],
  ['my key with spaces <= -1e-3', { kind: 'threshold', metric: 'my key with spaces', value: -0.001 }],
  ['Max of 5 loss < 1', { kind: 'threshold', metric: 'loss', aggregate: 'max', windowValues: 5 }],
  ['loss falls by 0.5', { kind: 'change', direction: 'decrease', by: 'absolute', amount: 0.5 }],
  ['loss jumps', { kind: 'zscore', metric: 'loss', deviations: 3, windowValues: 30 }],
  ['loss is NaN', { kind: 'nonfinite', metric: 'loss' }],
  ['acc is lower than best', { kind: 'regression', goal: 'maximize', baseline: null, tolerance: 0 }],
  ['loss ends higher than ab12 by 5%', { goal: 'minimize', baseline: 'ab12', tolerance: 0.05 }],
  ['failed, crashed or killed', { kind: 'state', states: ['failed', 'crashed', 'killed'] }],
  ['an artifact is linked', { kind: 'artifact', event: 'linked', collection: null }],
  ['An artifact gets an alias in net', { kind: 'artifact', event: 'alias-added', collection: 'net' }],
  ['script reports error', { kind: 'script', levels: ['error'] }],
])('"%s" is understood', (text, means) => {
  expect(conditionOf(text)).toMatchObject(means)
})

test('what is told of a condition means that condition', () => {
  const all: unknown[] = [
    { kind: 'threshold', metric: 'a b', operator: 'gte', value: 1.5 },
    { kind: 'threshold', metric: 'a', operator: 'lt', value: -2, aggregate: 'average', windowValues: 10 },
    { kind: 'change', metric: 'a', direction: 'increase', amount: 0.07 },
    { kind: 'change', metric: 'a', direction: 'any', by: 'absolute', amount: 3 },
    { kind: 'zscore', metric: 'a', deviations: 2.5, windowValues: 12 },
    { kind: 'nonfinite', metric: 'a' },
    { kind: 'regression', metric: 'a', goal: 'minimize', tolerance: 0.1 },
    { kind: 'regression', metric: 'a', goal: 'maximize', baseline: 'x1' },
    { kind: 'state', states: ['failed', 'crashed'] },
    { kind: 'silent', seconds: 120 },
    { kind: 'script', levels: ['warn', 'error'] },
    { kind: 'artifact', event: 'tag-removed', collection: 'net' },
    { kind: 'artifact', event: 'collection-tag-added' },
  ]
  for (const each of all.map((condition) => AlertCondition.parse(condition)))
    expect(conditionOf(wordsOfCondition(each))).toEqual(each)
})
