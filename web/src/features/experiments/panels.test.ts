import type { KeyInfo } from '@teamgrid/api'
import { expect, test } from 'vitest'
import { matcher, panelSections, shownSlugs, stepKeyOf, toggleShown } from './panels.ts'

const key = (name: string): KeyInfo => ({
  key: name,
  stream: 'history',
  kind: 'number',
  type: 'number',
  count: 1,
  lastStep: 1,
})

test('keys stand under their prefix, loose ones first, numbers in human order', () => {
  const keys = ['val/acc', 'loss', 'train/layer10', 'train/layer2', '_step', '_runtime', '/odd'].map(key)
  expect(panelSections(keys)).toEqual([
    { name: 'Charts', keys: ['/odd', 'loss'] },
    { name: 'train', keys: ['train/layer2', 'train/layer10'] },
    { name: 'val', keys: ['val/acc'] },
  ])
})

test('system metrics stand under the part of the machine they measure', () => {
  expect(
    panelSections(['system.gpu.0.temp', 'system.cpu', 'system.gpu.0.memory'].map(key)).map(
      (each) => each.name,
    ),
  ).toEqual(['cpu', 'gpu'])
})

test('panels are found by a regular expression, or by the text itself when it is none', () => {
  expect(
    panelSections(['val/acc', 'train/acc', 'loss'].map(key), '^val|loss').map((each) => each.keys),
  ).toEqual([['loss'], ['val/acc']])
  expect(matcher('(acc')('top(ACC)')).toBe(true)
})

test('a workspace without a choice draws the first ten', () => {
  const listed = Array.from({ length: 30 }, (_, i) => `e${i}`)
  expect(shownSlugs(undefined, listed)).toHaveLength(10)
  expect(shownSlugs('e3,e9', listed)).toEqual(['e3', 'e9'])
  expect(shownSlugs('-', listed)).toEqual([])
})

test('hiding the last one shows none, not the default again', () => {
  expect(toggleShown(['e1'], 'e1')).toBe('-')
  expect(toggleShown(['e1'], 'e2')).toBe('e1,e2')
  expect(toggleShown([], 'e2')).toBe('e2')
})

test('the axis of a key comes from its own definition before any pattern', () => {
  const definitions = [
    { key: null, glob: '*', stepKey: 'epoch' },
    { key: null, glob: 'train/*', stepKey: 'batch' },
    { key: 'train/lr', glob: null, stepKey: 'step2' },
  ]
  expect(stepKeyOf('train/lr', definitions)).toBe('step2')
  expect(stepKeyOf('train/loss', definitions)).toBe('batch')
  expect(stepKeyOf('val.loss', definitions)).toBe('epoch')
  expect(stepKeyOf('x', [])).toBeUndefined()
})
