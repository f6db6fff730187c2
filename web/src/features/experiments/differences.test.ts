import { expect, test } from 'vitest'
import { compare } from './differences.ts'

test('differences come first, nested keys are named with dots, missing is different', () => {
  const rows = compare([
    { lr: 0.1, model: { depth: 2, width: 8 }, seed: 1 },
    { lr: 0.1, model: { depth: 4, width: 8 } },
  ])
  expect(rows.map((row) => [row.key, row.differs])).toEqual([
    ['model.depth', true],
    ['seed', true],
    ['lr', false],
    ['model.width', false],
  ])
  expect(rows[1]!.values).toEqual([1, undefined])
})
