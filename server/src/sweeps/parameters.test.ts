import { expect, test } from 'vitest'
import { normalQuantile, normalShare } from './distributions.ts'
import { createGrid, freeInGrid } from './grid.ts'
import { createParameter, drawValues, type ParameterSpec } from './parameters.ts'
import { createRandom } from './random.ts'

const draws = 4000
const drawn = (spec: ParameterSpec) => {
  const random = createRandom(7)
  const parameter = createParameter(['x'], spec)
  return Array.from({ length: draws }, () => drawValues([parameter], random).x as number).toSorted(
    (a, b) => a - b,
  )
}
const at = (values: number[], share: number) => values[Math.floor(share * values.length)]!

test.each<[spec: ParameterSpec, low: number, median: number, high: number]>([
  [{ distribution: 'uniform', min: -1, max: 3 }, -0.6, 1, 2.6],
  [{ distribution: 'log_uniform', min: Math.log(1e-4), max: 0 }, 10 ** -3.6, 1e-2, 10 ** -0.4],
  [{ distribution: 'log_uniform_values', min: 1e-4, max: 1 }, 10 ** -3.6, 1e-2, 10 ** -0.4],
  [{ distribution: 'inv_log_uniform', min: Math.log(10), max: Math.log(1000) }, 10 ** -2.8, 1e-2, 10 ** -1.2],
  [{ distribution: 'inv_log_uniform_values', min: 1e-3, max: 1e-1 }, 10 ** -2.8, 1e-2, 10 ** -1.2],
  [{ distribution: 'normal', mu: 5, sigma: 2 }, 5 - 2 * 1.2816, 5, 5 + 2 * 1.2816],
  [{ distribution: 'log_normal', mu: 1, sigma: 0.5 }, Math.exp(1 - 0.6408), Math.E, Math.exp(1 + 0.6408)],
  // Quantiles of Beta(2, 5): scipy.stats.beta.ppf([0.1, 0.5, 0.9], 2, 5)
  [{ distribution: 'beta', a: 2, b: 5 }, 0.0926, 0.26445, 0.51032],
  [{ distribution: 'int_uniform', min: 1, max: 10 }, 2, 6, 10],
  [{ distribution: 'q_uniform', min: 0, max: 10, q: 2.5 }, 0, 5, 10],
  [{ distribution: 'q_log_uniform_values', min: 8, max: 512, q: 8 }, 16, 64, 336],
  [{ distribution: 'q_normal', mu: 0, sigma: 10, q: 5 }, -15, 0, 15],
  [{ distribution: 'q_log_normal', mu: 3, sigma: 1, q: 1 }, 6, 20, 72],
  [{ distribution: 'q_beta', a: 2, b: 5, q: 0.1 }, 0.1, 0.3, 0.5],
])('%o has the quantiles of its name', (spec, low, median, high) => {
  const values = drawn(spec)
  for (const [share, expected] of [
    [0.1, low],
    [0.5, median],
    [0.9, high],
  ] as const) {
    const got = at(values, share)
    // Between quantiles three percent to either side, and one step of rounding.
    expect(got).toBeGreaterThanOrEqual(at(values, share - 0.03) - 1e-9)
    expect(Math.abs(got - expected)).toBeLessThanOrEqual(
      Math.max(
        at(values, share + 0.03 > 0.999 ? 0.999 : share + 0.03) - at(values, share - 0.03),
        (spec.q ?? 0) * 1.01,
        1,
      ),
    )
  }
})

test('steps are exact multiples within the bounds', () => {
  const values = new Set(drawn({ distribution: 'q_uniform', min: 0.1, max: 0.5, q: 0.1 }))
  expect([...values]).toEqual([0.1, 0.2, 0.3, 0.4, 0.5])
})

test('choices come as often as their probabilities say, and never with none', () => {
  const random = createRandom(1)
  const parameter = createParameter(['x'], {
    distribution: 'categorical_w_probabilities',
    values: ['a', 'b', 'c'],
    probabilities: [0.7, 0.3, 0],
  })
  const counts: Record<string, number> = {}
  for (let index = 0; index < draws; index++) {
    const value = drawValues([parameter], random).x as string
    counts[value] = (counts[value] ?? 0) + 1
  }
  expect(counts.c).toBeUndefined()
  expect(counts.a! / draws).toBeCloseTo(0.7, 1)
  expect(parameter.at(1)).toBe('b')
})

test('what is drawn at a share lies at that share', () => {
  for (const spec of [
    { distribution: 'uniform', min: -2, max: 7 },
    { distribution: 'log_uniform_values', min: 1e-5, max: 10 },
    { distribution: 'inv_log_uniform', min: 1, max: 5 },
    { distribution: 'normal', mu: -3, sigma: 0.5 },
    { distribution: 'log_normal', mu: 0, sigma: 2 },
    { distribution: 'beta', a: 0.5, b: 3 },
  ]) {
    const parameter = createParameter(['x'], spec)
    for (const share of [0.001, 0.2, 0.5, 0.83, 0.999])
      expect(parameter.shareOf(parameter.at(share))).toBeCloseTo(share, 6)
  }
})

test('the normal distribution agrees with printed tables', () => {
  // scipy.stats.norm.ppf
  expect(normalQuantile(0.975)).toBeCloseTo(1.959963984540054, 12)
  expect(normalQuantile(1e-9)).toBeCloseTo(-5.997807015007686, 9)
  expect(normalShare(-8)).toBeCloseTo(6.220960574e-16, 22)
})

test('the same seed draws the same, another seed something else', () => {
  const parameter = createParameter(['x'], { distribution: 'uniform', min: 0, max: 1 })
  const draw = (seed: number, stream: number) => drawValues([parameter], createRandom(seed, stream)).x
  expect(draw(3, 1)).toBe(draw(3, 1))
  expect(new Set([draw(3, 1), draw(3, 2), draw(4, 1), draw(4, 2)]).size).toBe(4)
})

test('a grid hands out each combination once, nested and in order, and then none', () => {
  const grid = createGrid([
    createParameter(['a'], { distribution: 'categorical', values: ['x', { y: 1 }] }),
    createParameter(['o', 'lr'], { distribution: 'categorical', values: [1, 2, 3] }),
    createParameter(['c'], { distribution: 'constant', value: null }),
  ])
  const taken = new Set<number>()
  for (let free = freeInGrid(grid, taken, 0); free !== undefined; free = freeInGrid(grid, taken, free))
    taken.add(free)
  const all = [...taken].map((position) => grid.at(position))
  expect(all).toHaveLength(6)
  expect(all[0]).toEqual({ a: 'x', o: { lr: 1 }, c: null })
  expect(all[4]).toEqual({ a: { y: 1 }, o: { lr: 2 }, c: null })
  expect(new Set(all.map((values) => JSON.stringify(values))).size).toBe(6)
  expect(all.map((values) => grid.positionOf(values))).toEqual([0, 1, 2, 3, 4, 5])
  // One that was deleted is free again; what is of no combination takes none.
  taken.delete(2)
  expect(freeInGrid(grid, taken, 0)).toBe(2)
  expect(grid.positionOf({ a: 'elsewhere' })).toBeUndefined()
})
