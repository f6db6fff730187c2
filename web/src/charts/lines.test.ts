import { expect, test } from 'vitest'
import { indexNearest, type Line, padded, toCsv, xExtent, yExtent } from './lines.ts'

const line = (over: Partial<Line>): Line => ({
  id: 'a',
  label: 'brave-lynx',
  colour: '#000',
  x: [0, 10, 20],
  y: [1, -2, 3],
  nonFinite: [],
  points: 3,
  ...over,
})

test('the x axis reaches from the first to the last point or mark', () => {
  expect(xExtent([line({}), line({ x: [5], y: [1], nonFinite: [{ x: 31, value: 'NaN' }] })])).toEqual({
    from: 0,
    to: 31,
  })
  expect(xExtent([line({ x: [], y: [] })])).toBeUndefined()
})

test('the y axis looks at the visible part and one neighbour on each side', () => {
  expect(yExtent([line({ x: [0, 1, 2, 3, 4], y: [9, 1, 2, 3, 9] })], { from: 1.5, to: 2.5 }, false)).toEqual({
    from: 1,
    to: 3,
  })
})

test('a log axis ignores what it cannot show', () => {
  expect(yExtent([line({})], { from: 0, to: 20 }, true)).toEqual({ from: 1, to: 3 })
  expect(yExtent([line({ y: [0, -1, 0] })], { from: 0, to: 20 }, true)).toBeUndefined()
})

test('hovering picks the closer neighbour', () => {
  expect(indexNearest([0, 10, 20], 14)).toBe(1)
  expect(indexNearest([0, 10, 20], 16)).toBe(2)
  expect(indexNearest([0, 10, 20], 99)).toBe(2)
  expect(indexNearest([], 3)).toBe(-1)
})

test('a flat line gets a band around it instead of an empty axis', () => {
  const range = padded({ from: 5, to: 5 }, false)
  expect(range.from).toBeLessThan(5)
  expect(range.to).toBeGreaterThan(5)
})

test('exported cells cannot run as formulas and keep NaN in its place', () => {
  const csv = toCsv(
    [line({ label: '=cmd()', x: [1, 3], y: [0.5, 0.25], nonFinite: [{ x: 2, value: 'NaN' }] })],
    'step',
    'loss',
  )
  expect(csv).toBe("experiment,step,loss\r\n'=cmd(),1,0.5\r\n'=cmd(),2,NaN\r\n'=cmd(),3,0.25\r\n")
})
