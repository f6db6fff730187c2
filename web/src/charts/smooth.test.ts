import { expect, test } from 'vitest'
import { smooth } from './smooth.ts'

const steps = (count: number) => Array.from({ length: count }, (_, i) => i)

test('no smoothing leaves every value as it was', () => {
  expect([...smooth(steps(4), [1, 5, 2, 8], 0, 3)]).toEqual([1, 5, 2, 8])
})

test('a flat line stays flat from its first point on', () => {
  for (const value of smooth(steps(50), Array<number>(50).fill(3), 0.95, 49)) expect(value).toBeCloseTo(3, 10)
})

test('noise shrinks and the level stays', () => {
  const x = steps(1000)
  const y = x.map((i) => 10 + (i % 2 === 0 ? 1 : -1))
  const tail = [...smooth(x, y, 0.98, 999)].slice(500)
  expect(Math.max(...tail) - Math.min(...tail)).toBeLessThan(0.1)
  expect(tail.reduce((sum, value) => sum + value, 0) / tail.length).toBeCloseTo(10, 1)
})

test('logging twice as often does not change the smoothed line', () => {
  const dense = steps(1001)
  const sparse = dense.filter((i) => i % 2 === 0)
  const ramp = (i: number) => Math.sin(i / 150)
  const a = smooth(dense, dense.map(ramp), 0.9, 1000)
  const b = smooth(sparse, sparse.map(ramp), 0.9, 1000)
  expect(Math.abs(a[800]! - b[400]!)).toBeLessThan(0.01)
})

test('a NaN is kept and its neighbours survive', () => {
  const out = smooth(steps(3), [1, NaN, 1], 0.9, 2)
  expect(out[1]).toBeNaN()
  expect(out[2]).toBeCloseTo(1, 10)
})
