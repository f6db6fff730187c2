import { expect, test } from 'vitest'
import { createUniformRows } from './uniform-rows.ts'

test.each([
  ['a missing key', ['{"a":1,"b":2}', '{"a":1}']],
  ['another key', ['{"a":1}', '{"b":1}']],
  ['one key more', ['{"a":1}', '{"a":1,"b":1}']],
  ['another type', ['{"a":1}', '{"a":"1"}']],
  ['a list', ['{"a":[1]}']],
  ['a dictionary', ['{"a":{"b":1}}']],
  ['null', ['{"a":null}']],
  ['a whole number that a float cannot hold', ['{"a":9007199254740993}']],
  ['no JSON object', ['{"a":1}', 'garbage']],
])('%s does not fit, nor does what comes after', (_what, rows) => {
  const table = createUniformRows()
  const added = rows.map((row) => table.add(row))
  expect(added.at(-1)).toBe(false)
  expect(table.add(rows[0]!)).toBe(false)
})

test('columns have the type of their values', () => {
  const table = createUniformRows()
  for (const row of [
    '{"i":1,"f":0.5,"b":true,"s":"x","n":NaN,"z":-0}',
    '{"f":2,"i":-3,"b":false,"s":"","n":1,"z":0}',
  ])
    expect(table.add(row)).toBe(true)
  expect(table.columns()).toEqual([
    { name: 'i', type: 'INT64', values: [1, -3] },
    { name: 'f', type: 'DOUBLE', values: [0.5, 2] },
    { name: 'b', type: 'BOOLEAN', values: [true, false] },
    { name: 's', type: 'STRING', values: ['x', ''] },
    { name: 'n', type: 'DOUBLE', values: [Number.NaN, 1] },
    { name: 'z', type: 'DOUBLE', values: [-0, 0] },
  ])
})
