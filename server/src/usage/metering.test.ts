import { expect, test } from 'vitest'
import { seededRandom } from '../../../api/src/distributions.ts'
import { costOf, periodOf, secondsBetween, usageBetween } from './metering.ts'

const at = (seconds: number) => new Date(Date.UTC(2026, 0, 31, 22) + seconds * 1000)

test('a second counts when it is over, and a rate is by the hour', () => {
  expect(secondsBetween(at(0), at(59.9))).toBe(59)
  expect(secondsBetween(at(5), at(0))).toBe(0)
  expect(costOf(1800, 1_000_001)).toBe(500_000)
  expect(costOf(3_000_000_000, 1_000_000_000_000)).toBe(Number((3_000_000_000n * 1_000_000_000_000n) / 3600n))
})

test('however often somebody looks, the parts add up to the whole', () => {
  const random = seededRandom('looks')
  for (let round = 0; round < 2000; round++) {
    const rate = Math.floor(random() * 5_000_000)
    const start = at(random() * 7200)
    const [seconds, cost] = [new Map<number, number>(), { total: 0 }]
    let seen = start
    while (random() < 0.9) {
      const now = new Date(seen.getTime() + Math.floor(random() * 5_000_000))
      for (const part of usageBetween(start, seen, now, rate)) {
        seconds.set(part.hour.getTime(), (seconds.get(part.hour.getTime()) ?? 0) + part.seconds)
        cost.total += part.microcredits
      }
      seen = now
    }
    const whole = secondsBetween(start, seen)
    expect([...seconds.values()].reduce((sum, each) => sum + each, 0)).toBe(whole)
    expect(cost.total).toBe(costOf(whole, rate))
    for (const each of seconds.values()) expect(each).toBeLessThanOrEqual(3601)
  }
})

test('periods are those of UTC', () => {
  expect(periodOf('month', at(0))).toEqual({
    name: '2026-01',
    start: new Date(Date.UTC(2026, 0)),
    end: new Date(Date.UTC(2026, 1)),
  })
  expect(periodOf('month', at(7200)).name).toBe('2026-02')
  expect(periodOf('quarter', new Date(Date.UTC(2026, 11, 31)))).toMatchObject({
    name: '2026-Q4',
    start: new Date(Date.UTC(2026, 9)),
    end: new Date(Date.UTC(2027, 0)),
  })
  expect(periodOf('none', at(0)).end).toBeNull()
})
