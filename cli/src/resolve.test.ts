import type { Experiment } from '@teamgrid/api'
import { expect, test } from 'vitest'
import { meaningOf, runOf, webAddress } from './resolve.ts'

const experiment = (over: Partial<Experiment>): Experiment => ({
  id: '01890000-0000-7000-8000-000000000000',
  team: 'vision',
  project: 'digits',
  slug: 'a1b2c3d4',
  name: 'fine-owl-1',
  state: 'running',
  stopRequested: false,
  exitCode: null,
  createdBy: { username: 'bob', name: 'Bob' },
  createdById: '01890000-0000-7000-8000-000000000001',
  via: null,
  moved: false,
  group: null,
  jobType: null,
  sweep: null,
  tags: [],
  notes: '',
  createdAt: '2026-11-22T07:00:00Z',
  heartbeatAt: '2026-11-22T07:00:00Z',
  endedAt: null,
  durationSeconds: 1,
  branchedFrom: null,
  ...over,
})

test('one found experiment is that experiment', () => {
  expect(meaningOf('bob:fine-owl-1', 'fine-owl-1', [experiment({})])).toMatchObject({
    kind: 'experiment',
    name: 'fine-owl-1',
  })
})

test('a group of experiments is a run, in the order people count', () => {
  const found = [10, 2, 0].map((number) =>
    experiment({ id: `${number}`, group: 'brave-lynx-101', name: `brave-lynx-101-exp${number}` }),
  )
  const resolved = meaningOf('brave-lynx-101', 'brave-lynx-101', found)
  expect(resolved.kind).toBe('run')
  expect(resolved.experiments.map((one) => one.id)).toEqual(['0', '2', '10'])
})

test('several namesakes are refused with all candidates', () => {
  const found = [experiment({ slug: 'aaaa' }), experiment({ slug: 'bbbb', project: 'other' })]
  expect(() => meaningOf('fine-owl-1', 'fine-owl-1', found)).toThrow('names 2 experiments')
  try {
    meaningOf('fine-owl-1', 'fine-owl-1', found)
  } catch (error) {
    expect(error).toMatchObject({ code: 'invalid' })
    expect((error as { details: { hint: string } }).details.hint).toContain('vision/digits/aaaa')
    expect((error as { details: { hint: string } }).details.hint).toContain('vision/other/bbbb')
  }
})

test('two groups of one name in two projects are not one run', () => {
  const found = [experiment({ group: 'sweep' }), experiment({ group: 'sweep', project: 'other' })]
  expect(() => meaningOf('sweep', 'sweep', found)).toThrow('names 2 experiments')
})

test('nothing found says the same as nothing to see', () => {
  expect(() => meaningOf('zoe:x', 'x', [])).toThrow('or it is not yours to see')
})

test('an experiment without a group is its own run', () => {
  expect(runOf(experiment({}))).toBe('fine-owl-1')
  expect(runOf(experiment({ group: 'sweep' }))).toBe('sweep')
})

test('web addresses are encoded', () => {
  expect(webAddress('http://x', { team: 'vision', project: 'my digits', slug: 'a/b' })).toBe(
    'http://x/vision/my%20digits/runs/a%2Fb',
  )
})
