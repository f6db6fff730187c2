import type { Filter } from '@teamgrid/api'
import { expect, test } from 'vitest'
import {
  filtersFromText,
  filtersToText,
  filterWords,
  sortFromText,
  sortToText,
  textValue,
} from './filters.ts'

const hard: Filter[] = [
  { column: 'config.lr', op: 'gt', value: 0.01 },
  { column: 'state', op: 'in', value: ['running', 'failed'] },
  { column: 'config.name:with~odd,%signs', op: 'eq', value: 'a:b~c,d%7e' },
  { column: 'config.seed', op: 'eq', value: '42' },
  { column: 'config.fast', op: 'eq', value: true },
  { column: 'config.word', op: 'ne', value: 'true' },
  { column: 'notes', op: 'eq', value: '"quoted"' },
  { column: 'summary.accuracy', op: 'missing' },
  { column: 'name', op: 'contains', value: '' },
]

test('any filter survives the address bar, with numbers, text and truth kept apart', () => {
  expect(filtersFromText(filtersToText(hard))).toEqual(hard)
})

test('simple filters are readable in the address bar', () => {
  expect(filtersToText(hard.slice(0, 2))).toBe('config.lr:gt:0.01~state:in:running,failed')
})

test('a link with a filter that nobody knows any more still opens', () => {
  expect(filtersFromText('config.lr:gt:0.01~x:frobs:3~:eq:1~y:eq')).toEqual([
    { column: 'config.lr', op: 'gt', value: 0.01 },
  ])
  expect(filtersFromText('')).toEqual([])
})

test('typed values become numbers where they read as numbers', () => {
  expect([
    textValue(' 1e-3 '),
    textValue('.5'),
    textValue('1.2.3'),
    textValue('"7"'),
    textValue('adam'),
  ]).toEqual([0.001, 0.5, '1.2.3', '7', 'adam'])
})

test('filters and sorting in words', () => {
  expect(filterWords(hard[0]!)).toBe('lr > 0.01')
  expect(filterWords({ column: 'created_at', op: 'exists' })).toBe('Created is set')
  expect(sortFromText(sortToText({ column: 'config.-odd', descending: true }))).toEqual({
    column: 'config.-odd',
    descending: true,
  })
})
