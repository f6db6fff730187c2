import { expect, test } from 'vitest'
import { assignColours, preferredColour, seriesColourCount, seriesColours } from './colours.ts'

const ids = Array.from({ length: 60 }, (_, i) => `0198c3f0-0000-7000-8000-${String(i).padStart(12, '0')}`)

test('the first twenty-four neighbours all differ', () => {
  const colours = assignColours(ids.slice(0, seriesColourCount))
  expect(new Set(colours.values()).size).toBe(seriesColourCount)
})

test('a younger experiment changes nobody else’s colour', () => {
  const before = assignColours(ids.slice(0, 40))
  const after = assignColours(ids)
  for (const [id, colour] of before) expect(after.get(id)).toBe(colour)
})

test('an experiment alone has the colour its id wants', () => {
  expect(assignColours([ids[7]!]).get(ids[7]!)).toBe(preferredColour(ids[7]!))
})

/** sRGB to OKLab. Source: Björn Ottosson, "A perceptual color space for image processing", 2020. */
function oklab(hex: string): [number, number, number] {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ]
}

test.each(['light', 'dark'] as const)('any two colours of the %s palette can be told apart', (theme) => {
  const labs = seriesColours[theme].map(oklab)
  for (const [i, a] of labs.entries()) {
    for (const b of labs.slice(i + 1)) {
      expect(Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])).toBeGreaterThan(0.085)
    }
  }
})
