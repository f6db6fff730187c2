import { expect, test } from 'vitest'
import { type Column, table } from './table.ts'

type Row = { run: string; failed: number }
const columns: Column<Row>[] = [
  { title: 'Run', cell: (row) => row.run },
  { title: 'Failed', cell: (row) => row.failed },
]
const rows = [
  { run: 'brave-lynx-101', failed: 0 },
  { run: 'owl', failed: 12 },
]

test('at a terminal a heavy box holds the titles and light lines the rows', () => {
  expect(table(columns, rows, { boxes: true, color: false, columns: 80 })).toBe(
    [
      '┏━━━━━━━━━━━━━━━━┳━━━━━━━━┓',
      '┃ Run            ┃ Failed ┃',
      '┡━━━━━━━━━━━━━━━━╇━━━━━━━━┩',
      '│ brave-lynx-101 │      0 │',
      '│ owl            │     12 │',
      '└────────────────┴────────┘',
      '',
    ].join('\n'),
  )
})

test('in a pipe the same columns come plain', () => {
  expect(table(columns, rows, { boxes: false, color: false, columns: 10 })).toBe(
    ['Run             Failed', 'brave-lynx-101       0', 'owl                 12', ''].join('\n'),
  )
})

test('no rows are one dim row that says so', () => {
  expect(table(columns, [], { boxes: false, color: false, columns: 80 })).toBe(
    'Run           Failed\nNone Active.\n',
  )
  expect(table(columns, [], { boxes: true, color: true, columns: 80 })).toContain(
    '\u001b[2mNone Active.\u001b[0m',
  )
})

test('titles are green and the first cell is dim, if colours are wanted', () => {
  const text = table(columns, rows, { boxes: true, color: true, columns: 80 })
  expect(text).toContain('\u001b[32mRun           \u001b[0m')
  expect(text).toContain('\u001b[2mowl           \u001b[0m')
})

test('on a narrow terminal long cells are folded, and nothing is lost', () => {
  const text = table(columns, [{ run: 'a-very-long-name-of-a-run', failed: 123 }], {
    boxes: true,
    color: false,
    columns: 24,
  })
  expect(text.split('\n').slice(3, 6)).toEqual([
    '│ a-very-long │    123 │',
    '│ -name-of-a- │        │',
    '│ run         │        │',
  ])
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBe(24)
})

test('on a terminal too narrow for its titles nothing is folded', () => {
  const text = table(columns, rows, { boxes: true, color: false, columns: 12 })
  expect(text).toContain('│ brave-lynx-101 │      0 │')
})

test('a cell with line breaks stays one row', () => {
  const text = table(columns, [{ run: 'two\nlines', failed: 0 }], { boxes: false, color: false, columns: 80 })
  expect(text.split('\n')).toHaveLength(3)
})
