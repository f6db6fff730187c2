import { describe, expect, test } from 'vitest'
import { bytes, duration, logTime, since } from './time.ts'

test('durations are written as Grid writes them', () => {
  expect(duration(0)).toBe('0d-00:00:00')
  expect(duration(4 * 3600 + 5 * 60 + 23)).toBe('0d-04:05:23')
  expect(duration(3 * 86_400 + 59.9)).toBe('3d-00:00:59')
  expect(duration(-5)).toBe('0d-00:00:00')
  expect(duration(Number.NaN)).toBe('0d-00:00:00')
})

test('log times carry their offset', () => {
  expect(logTime('2026-11-22T07:00:00.5Z')).toBe('2026-11-22T07:00:00.500+00:00')
})

describe('--since', () => {
  const now = new Date('2026-11-22T12:00:00Z')
  test('is a time ago', () => {
    expect(since('90s', now).toISOString()).toBe('2026-11-22T11:58:30.000Z')
    expect(since('2h', now).toISOString()).toBe('2026-11-22T10:00:00.000Z')
    expect(since('1.5d', now).toISOString()).toBe('2026-11-21T00:00:00.000Z')
  })
  test('or an instant', () => {
    expect(since('2026-11-21T10:00:00Z', now).toISOString()).toBe('2026-11-21T10:00:00.000Z')
  })
  test.each(['', 'yesterday', '10', '5 parsecs', '-3h'])('%j is refused', (text) => {
    expect(() => since(text, now)).toThrow('is not a time')
  })
})

test('bytes are readable', () => {
  expect(bytes(0)).toBe('0 B')
  expect(bytes(1023)).toBe('1023 B')
  expect(bytes(1536)).toBe('1.5 KiB')
  expect(bytes(5 * 1024 ** 3)).toBe('5.0 GiB')
})
