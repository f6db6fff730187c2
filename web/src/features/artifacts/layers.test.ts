import { expect, test } from 'vitest'
import { layersOf } from './layers.ts'

const node = (id: string) =>
  ({
    kind: 'artifact',
    id,
    label: id,
    type: 'dataset',
    team: 't',
    project: 'p',
    collection: id,
    version: 'v0',
  }) as const

test('every arrow points to the right, also past a shorter way', () => {
  const nodes = ['a', 'b', 'c', 'd'].map(node)
  const edges = [
    { from: 'a', to: 'b' },
    { from: 'b', to: 'c' },
    { from: 'a', to: 'c' },
    { from: 'c', to: 'd' },
  ]
  const { placed, columns, rows } = layersOf({ nodes, edges })
  expect(Object.fromEntries(placed.map(({ id, column }) => [id, column]))).toEqual({ a: 0, b: 1, c: 2, d: 3 })
  expect({ columns, rows }).toEqual({ columns: 4, rows: 1 })
})

test('what stands in one column has rows of its own, and a loop ends', () => {
  const nodes = ['a', 'b', 'c'].map(node)
  const { placed, rows } = layersOf({
    nodes,
    edges: [
      { from: 'a', to: 'b' },
      { from: 'a', to: 'c' },
      { from: 'c', to: 'a' },
    ],
  })
  expect(new Set(placed.map(({ column, row }) => `${column} ${row}`)).size).toBe(3)
  expect(rows).toBeGreaterThan(0)
})
