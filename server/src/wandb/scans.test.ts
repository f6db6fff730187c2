import { expect, test } from 'vitest'
import type { Actor } from '../actor.ts'
import { createScans } from './scans.ts'

const [ada, grace] = ['ada', 'grace'].map((userId) => ({ userId, via: 'key:1' }) as Actor) as [Actor, Actor]
const [run, other] = [{ id: 'a' }, { id: 'b' }]
let now = 0
const scans = () => createScans({ now: () => now })

test('whoever asks for the last step and then for exports scans, once', () => {
  const asked = scans()
  expect(asked.take(ada, run)).toBe(false)
  asked.note(ada, run, 'RunHistoryKeys')
  expect([asked.take(grace, run), asked.take(ada, other)]).toEqual([false, false])
  expect([asked.take(ada, run), asked.take(ada, run)]).toEqual([true, false])
})

test('long after the last step, or after other questions, exports are for somebody who wants files', () => {
  const asked = scans()
  asked.note(ada, run, 'RunHistoryKeys')
  now += 60_000
  expect(asked.take(ada, run)).toBe(false)
  asked.note(ada, run, 'RunHistoryKeys')
  asked.note(ada, run, 'Run')
  expect(asked.take(ada, run)).toBe(false)
})
