import { describe, expect, test } from 'vitest'
import { formatAgo, formatBytes, formatDuration, formatNumber, formatValue, plural } from './format.ts'

describe('numbers', () => {
  test.each([
    [0, '0'],
    [0.03125, '0.03125'],
    [0.0000000321, '3.21e-8'],
    [1, '1'],
    [123.456789, '123.5'],
    [2048, '2048'],
    [1234.5, '1.234k'],
    [65_536, '65.54k'],
    [999_999, '1M'],
    [-1_500_000, '−1.5M'],
    [3e20, '3e20'],
    [NaN, 'NaN'],
    [-Infinity, '−∞'],
  ])('%d reads %s', (value, text) => expect(formatNumber(value)).toBe(text))
})

describe('durations', () => {
  test.each([
    [0.42, '0.4s'],
    [42, '42s'],
    [187, '3m 07s'],
    [3845, '1h 04m'],
    [184_000, '2d 03h'],
    [-3, '0s'],
    [NaN, '–'],
  ])('%d seconds read %s', (seconds, text) => expect(formatDuration(seconds)).toBe(text))
})

test('sizes are decimal and keep three figures', () => {
  expect(formatBytes(812)).toBe('812 B')
  expect(formatBytes(1500)).toBe('1.5 kB')
  expect(formatBytes(999_999)).toBe('1 MB')
  expect(formatBytes(3_271_000_000)).toBe('3.27 GB')
})

test('ages become dates after a month, and a clock slightly ahead is not the future', () => {
  const now = Date.UTC(2026, 7, 14, 12)
  expect(formatAgo(now + 3000, now)).toBe('just now')
  expect(formatAgo(now - 61_000, now)).toBe('1m ago')
  expect(formatAgo(now - 5 * 86_400_000, now)).toBe('5d ago')
  expect(formatAgo(now - 40 * 86_400_000, now)).toMatch(/^2026-07-0[45]$/)
})

test('nested values stay on one line', () => {
  expect(formatValue({ layers: [64, 32] })).toBe('{"layers":[64,32]}')
  expect(formatValue({ _type: 'image-file', path: 'a.png' })).toBe('‹image-file›')
  expect(formatValue(null)).toBe('null')
  expect(formatValue(undefined)).toBe('')
})

test('one is not many', () => {
  expect(plural(1, 'experiment')).toBe('1 experiment')
  expect(plural(12_000, 'entry', 'entries')).toBe('12\u202f000 entries')
})
