import type { ConsoleLine } from '@teamgrid/api'
import { expect, test } from 'vitest'
import { createFollower } from './follow.ts'

const line = (number: number, text: string): ConsoleLine => ({
  line: number,
  time: null,
  level: 'info',
  label: '',
  text,
})
const texts = (lines: ConsoleLine[]) => lines.map((one) => one.text)

test('lines before the newest are printed at once and once', () => {
  const follower = createFollower()
  expect(texts(follower.take([line(0, 'a'), line(1, 'b'), line(2, 'c')], 0))).toEqual(['a', 'b'])
  expect(follower.from()).toBe(2)
  expect(texts(follower.take([line(2, 'c'), line(3, 'd')], 100))).toEqual(['c'])
  expect(texts(follower.flush())).toEqual(['d'])
  expect(texts(follower.flush())).toEqual([])
})

test('the newest line is printed when it has settled, without another after it', () => {
  const follower = createFollower({ settleMilliseconds: 1000 })
  expect(follower.take([line(0, 'a')], 0)).toEqual([])
  expect(texts(follower.take([line(0, 'a')], 1000))).toEqual(['a'])
  expect(follower.take([line(0, 'a')], 2000)).toEqual([])
  expect(follower.flush()).toEqual([])
})

test('a progress bar is printed now and then, and its last state for certain', () => {
  const follower = createFollower({ settleMilliseconds: 1000, holdMilliseconds: 5000 })
  const printed: string[] = []
  for (let percent = 0; percent <= 100; percent += 1) {
    printed.push(...texts(follower.take([line(0, `${percent}%`)], percent * 200)))
  }
  expect(printed.length).toBeGreaterThan(0)
  expect(printed.length).toBeLessThanOrEqual(4)
  printed.push(...texts(follower.take([line(0, '100%'), line(1, 'done')], 20_100)))
  expect(printed.at(-1)).toBe('100%')
  expect(new Set(printed).size).toBe(printed.length)
})

test('lines that come in any order are printed in theirs', () => {
  const follower = createFollower()
  expect(texts(follower.take([line(2, 'c'), line(0, 'a'), line(1, 'b')], 0))).toEqual(['a', 'b'])
})
