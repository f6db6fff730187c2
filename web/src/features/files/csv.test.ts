import { expect, test } from 'vitest'
import { parseCsv } from './csv.ts'

test('quoted cells keep separators, quotes and line ends', () => {
  expect(parseCsv('a,b\r\n"x, ""y""\nz",2\n')).toEqual([
    ['a', 'b'],
    ['x, "y"\nz', '2'],
  ])
})

test('a last line without an end counts, an empty text has no rows', () => {
  expect(parseCsv('a\tb\n1\t', '\t')).toEqual([
    ['a', 'b'],
    ['1', ''],
  ])
  expect(parseCsv('')).toEqual([])
})
