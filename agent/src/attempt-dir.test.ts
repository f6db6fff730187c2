import { expect, test } from 'vitest'
import { readExitRecord, readProcessIdentity, startTicksIn } from './attempt-dir.ts'

test('a record that was not written in full is none', () => {
  for (const text of ['', '0', '0 0', '0 0 ', 'x 0 12', '0 2 12'])
    expect(readExitRecord(text)).toBeUndefined()
  for (const text of ['', '12', '12 34', '12 34 nonsense']) expect(readProcessIdentity(text)).toBeUndefined()
})

test('a record of an end tells its code, whether a stop was asked for, and when', () => {
  expect(readExitRecord('137 1 1700000000\n')).toEqual({
    code: 137,
    stopRequested: true,
    at: new Date(1_700_000_000_000),
  })
})

test('the start of a process is found behind any name', () => {
  const after = Array.from({ length: 20 }, (_, index) => String(index)).join(' ')
  expect(startTicksIn(`12 (a) b (c) ${after} x`)).toBe('19')
})
