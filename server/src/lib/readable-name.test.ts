import { expect, test } from 'vitest'
import { readableName } from './readable-name.ts'

test('a readable name is two words and the number', () => {
  expect(readableName(12)).toMatch(/^[a-z]+-[a-z]+-12$/)
  expect(readableName(1, () => 0)).toBe('amber-albatross-1')
})
