import { expect, test } from 'vitest'
import { binsOf, tableOf, tracesOf } from './values.ts'

test('a histogram with packed bins has its edges', () => {
  expect(
    binsOf({ _type: 'histogram', values: [1, 4], packedBins: { min: -1, size: 0.5, count: 2 } }),
  ).toEqual({ edges: [-1, -0.5, 0], counts: [1, 4] })
  expect(binsOf({ values: [1, 4], bins: [0, 1, 2] })).toEqual({ edges: [0, 1, 2], counts: [1, 4] })
})

test('what is no histogram is not drawn as one', () => {
  expect(binsOf({ values: [1], bins: [0] })).toBeUndefined()
  expect(binsOf({ values: ['x'], bins: [0, 1] })).toBeUndefined()
  expect(binsOf('text')).toBeUndefined()
})

test('a table keeps its rows and drops what is none', () => {
  expect(tableOf({ columns: ['a', 1], data: [[1, 2], 'broken'] })).toEqual({
    columns: ['a', '1'],
    rows: [[1, 2]],
  })
  expect(tableOf({ data: [] })).toBeUndefined()
})

test('simple plots are read, others are left alone', () => {
  const plot = tracesOf({
    data: [
      { type: 'bar', x: ['a', 'b'], y: [1, 2] },
      { y: [3, 4], mode: 'markers', name: 'dots' },
    ],
    layout: { title: { text: 'T' } },
  })
  expect(plot).toEqual({
    title: 'T',
    traces: [
      { kind: 'bars', name: 'trace 0', x: [0, 1], y: [1, 2], labels: ['a', 'b'] },
      { kind: 'dots', name: 'dots', x: [0, 1], y: [3, 4], labels: undefined },
    ],
  })
  expect(tracesOf({ data: [{ type: 'surface', z: [] }] })).toBeUndefined()
})
