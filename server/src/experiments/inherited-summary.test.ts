import { expect, test } from 'vitest'
import { createSumming, withInherited } from './inherited-summary.ts'

const defined = (...m: object[]) => ({ _wandb: { value: { m } } })
const summed = (config: Record<string, unknown>, rows: Record<string, unknown>[]) => {
  const summing = createSumming(config)
  for (const row of rows) summing.add(row)
  return summing.result()
}

test('without definitions each key has its last value, and groups go together', () => {
  const { summary } = summed({}, [
    { loss: 3, val: { acc: 0.1 }, image: { _type: 'image-file', path: 'a', caption: 'x' } },
    { loss: 2, val: { f1: 0.5 }, image: { _type: 'image-file', path: 'b' } },
  ])
  expect(summary).toEqual({
    loss: 2,
    val: { acc: 0.1, f1: 0.5 },
    image: { _type: 'image-file', path: 'b' },
  })
})

test('what define_metric asked for stands instead of the last value', () => {
  const config = defined(
    { '1': 'loss', '7': [1, 2, 3] },
    { '1': 'val.acc', '7': [2, 5, 8] },
    { '1': 'secret', '7': [6] },
    { '1': 'never', '7': [1] },
    { '1': 'text', '7': [1] },
    { '2': 'glob/*', '7': [1] },
    { '1': 'plain', '7': null },
  )
  const { summary, tracked } = summed(config, [
    { loss: 3, val: { acc: 0.4, other: 1 }, secret: 1, text: 'a', plain: 1 },
    { loss: 1, val: { acc: 0.9 }, secret: 2, text: 'b', plain: 2 },
    { loss: 2, val: { acc: 0.6 }, secret: 3, text: 'c', plain: 3 },
  ])
  expect(summary).toEqual({
    loss: { min: 1, max: 3, mean: 2 },
    val: { acc: { max: 0.9, last: 0.6, first: 0.4 }, other: 1 },
    text: {},
    plain: 3,
  })
  expect(tracked).toEqual(['loss', 'val.acc', 'never', 'text'])
})

test('what a branch sends goes over what it inherited, and lows and highs are those of both', () => {
  const inherited = {
    summary: { loss: { min: 1, max: 3, first: 3 }, val: { acc: 0.5 }, old: 7, range: { min: 1 } },
    tracked: ['loss'],
  }
  expect(withInherited(inherited, {})).toEqual(inherited.summary)
  expect(
    withInherited(inherited, {
      loss: { min: 2, max: 9, first: 2, last: 9 },
      val: { f1: 1 },
      range: { min: 5 },
    }),
  ).toEqual({
    loss: { min: 1, max: 9, first: 3, last: 9 },
    val: { acc: 0.5, f1: 1 },
    old: 7,
    // Logged under that name, and no low of anything.
    range: { min: 5 },
  })
  // A branch that does not define it again.
  expect(withInherited(inherited, { loss: 4 })).toMatchObject({ loss: 4 })
})
