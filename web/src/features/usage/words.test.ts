import type { LedgerEntry, Usage } from '@teamgrid/api'
import { expect, test } from 'vitest'
import {
  barsOf,
  foldCharges,
  formatCredits,
  microcreditsOf,
  percentsOf,
  presets,
  rangeOf,
  usageCsv,
} from './words.ts'

const row = { stays: 2, seconds: 7200, gpuSeconds: 0, microcredits: 1_500_000, isEstimate: false }
const usage: Usage = {
  from: '2026-03-01T00:00:00.000Z',
  to: '2026-03-04T12:00:00.000Z',
  rows: [{ ...row, name: '=ada, "the first"' }],
  days: [{ day: '2026-03-02', seconds: 7200, microcredits: 1_500_000 }],
  total: row,
}

test('what is no number of credits or no percentage is not taken for one', () => {
  expect(microcreditsOf('')).toBeNaN()
  expect(microcreditsOf('a lot')).toBeNaN()
  expect(percentsOf('80, much')).toBeUndefined()
  expect(percentsOf('0')).toBeUndefined()
  expect(percentsOf('100 %, 80')).toEqual([80, 100])
  expect(microcreditsOf('0.1')).toBe(100_000)
})

test('credits read short, and small amounts do not become nothing', () => {
  expect(formatCredits(1_234_567_890_000)).toBe('1\u202f234\u202f567.89')
  expect(formatCredits(0)).toBe('0')
  expect(formatCredits(12)).toBe('0.000012')
  expect(formatCredits(-2_500_000)).toBe('−2.5')
})

test('a month ends with its last day, in a year before too', () => {
  const last = presets(Date.parse('2026-01-15T23:00:00Z')).find(({ label }) => label === '2025-12')!
  expect(last.days).toEqual({ since: '2025-12-01', until: '2025-12-31' })
  expect(rangeOf(last.days)).toEqual({ from: '2025-12-01T00:00:00.000Z', to: '2026-01-01T00:00:00.000Z' })
  expect(rangeOf({ until: '2026-02-10' }).from).toBe('2026-02-01T00:00:00.000Z')
  expect(rangeOf({})).toEqual({})
})

test('days without use have a bar of nothing; long ranges go by month and lose nothing', () => {
  expect(barsOf(usage).map((bar) => [bar.label, bar.microcredits])).toEqual([
    ['2026-03-01', 0],
    ['2026-03-02', 1_500_000],
    ['2026-03-03', 0],
    ['2026-03-04', 0],
  ])
  const year = barsOf({ ...usage, from: '2026-01-01T00:00:00.000Z', to: '2027-01-01T00:00:00.000Z' })
  expect(year).toHaveLength(12)
  expect(year[2]).toEqual({ label: '2026-03', microcredits: 1_500_000, seconds: 7200 })
})

test('the file has exact credits, and names that look like formulas are text', () => {
  const [head, line, rest] = usageCsv('vision', 'person', usage).split('\r\n')
  expect(head).toBe('team,from,to,person,stays,seconds,gpu_seconds,credits,estimate')
  expect(line).toBe(
    `vision,2026-03-01T00:00:00.000Z,2026-03-04T12:00:00.000Z,"'=ada, ""the first""",2,7200,0,1.5,false`,
  )
  expect(rest).toBe('')
})

test('charges that follow each other are one line; what people did stays its own', () => {
  const entry = (number: number, reason: LedgerEntry['reason'], microcredits: number): LedgerEntry => ({
    number,
    reason,
    microcredits,
    note: '',
    by: null,
    at: `2026-03-01T00:0${number}:00.000Z`,
  })
  const lines = foldCharges([
    entry(5, 'usage', -1),
    entry(4, 'usage', -2),
    entry(3, 'credit', 9),
    entry(2, 'credit', 9),
    entry(1, 'usage', -4),
  ])
  expect(lines.map((line) => [line.number, line.microcredits, line.charges])).toEqual([
    [5, -3, 2],
    [3, 9, 1],
    [2, 9, 1],
    [1, -4, 1],
  ])
  expect(lines[0]!.since).toBe('2026-03-01T00:04:00.000Z')
})
