import { expect, test } from 'vitest'
import { axisOf, shareColour, spacedTicks } from './parallel.ts'

const numeric = { name: 'x', isCategorical: false, isLogarithmic: false }

test('numbers stand at their height between the lowest and the highest', () => {
  const axis = axisOf(numeric, [2, 4, undefined, 10])
  expect([2, 4, 10].map(axis.heightOf)).toEqual([0, 0.25, 1])
  expect(axis.heightOf('text')).toBeUndefined()
  expect(axis.ticks.map((tick) => tick.label)).toEqual(['2', '4', '6', '8', '10'])
})

test('a logarithmic parameter has a logarithmic axis, unless something is not above 0', () => {
  const axis = axisOf({ ...numeric, isLogarithmic: true }, [0.001, 0.1])
  expect(axis.heightOf(0.01)).toBeCloseTo(0.5, 9)
  expect(axisOf({ ...numeric, isLogarithmic: true }, [0, 1]).heightOf(0.25)).toBe(0.25)
})

test('choices stand one above the other in their order, numbers by size', () => {
  const axis = axisOf({ ...numeric, isCategorical: true }, ['b', 'a', true, 'b'])
  expect(axis.ticks.map((tick) => tick.label)).toEqual(['a', 'b', 'true'])
  expect(axis.heightOf('a')).toBe(0)
  expect(axisOf({ ...numeric, isCategorical: true }, [256, 32, 64]).ticks.map((tick) => tick.label)).toEqual([
    '32',
    '64',
    '256',
  ])
})

test('a single value stands in the middle, and nothing at all makes an empty axis', () => {
  expect(axisOf(numeric, [3]).heightOf(3)).toBe(0.5)
  expect(axisOf(numeric, []).ticks).toEqual([])
})

test('ticks that would overlap are left out, but never the ends', () => {
  const ticks = Array.from({ length: 41 }, (_, index) => ({ height: index / 40, label: String(index) }))
  const kept = spacedTicks(ticks, 100)
  expect(kept[0]!.label).toBe('0')
  expect(kept.at(-1)!.label).toBe('40')
  expect(kept.length).toBeLessThan(9)
})

test.each(['light', 'dark'] as const)(
  'colours go from one end to the other and stay within (%s)',
  (theme) => {
    expect(shareColour(-1, theme)).toBe(shareColour(0, theme))
    expect(shareColour(2, theme)).toBe(shareColour(1, theme))
    expect(shareColour(0.4, theme)).not.toBe(shareColour(0.5, theme))
  },
)
