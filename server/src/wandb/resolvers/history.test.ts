import { expect, test } from 'vitest'
import { evenly } from './history.ts'

test.each([
  [5, 500, 5],
  [500, 500, 500],
  [501, 500, 500],
  [999, 500, 500],
  [100_003, 500, 500],
  [7, 1, 1],
])('of %i items %i wanted are %i, in order and spread over all', (offered, wanted, got) => {
  const picked = evenly<number>(wanted)
  for (let item = 0; item < offered; item++) picked.offer(item)
  const taken = picked.taken()
  expect(taken).toHaveLength(got)
  expect(taken[0]).toBe(0)
  expect(taken).toEqual([...new Set(taken)].toSorted((a, b) => a - b))
  const gaps = taken.slice(1).map((item, index) => item - taken[index]!)
  // The last picked one may not be the last offered, but no stretch is left out.
  if (gaps.length) expect(Math.max(...gaps)).toBeLessThanOrEqual(Math.ceil((offered / got) * 2))
})
