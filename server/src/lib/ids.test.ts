import { expect, test } from 'vitest'
import { newId } from './ids.ts'

test('ids of one millisecond sort in the order in which they were made, however many there are', () => {
  const ids = Array.from({ length: 10_000 }, () => newId(1_700_000_000_000))
  expect(ids.toSorted()).toEqual(ids)
  expect(new Set(ids).size).toBe(ids.length)
  for (const id of [ids[0]!, ids.at(-1)!])
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})

test('a later millisecond sorts after an earlier one', () => {
  const early = newId(1_700_000_000_000)
  expect(newId(1_700_000_000_001) > early).toBe(true)
  expect(newId(1_699_999_999_999) < early).toBe(true)
})
