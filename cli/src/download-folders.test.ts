import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Experiment } from '@teamgrid/api'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { assignFolders, foldersFor } from './download-folders.ts'

const experiment = (id: string, name: string, group: string | null = null) =>
  ({ id, name, slug: `slug${id}`, group }) as Experiment

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'grid-folders-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

test('a run holds one folder for each experiment', () => {
  const folders = assignFolders({}, [
    experiment('1', 'lynx-exp0', 'lynx'),
    experiment('2', 'lynx-exp1', 'lynx'),
  ])
  expect([...folders.values()]).toEqual(['lynx/lynx-exp0', 'lynx/lynx-exp1'])
})

test('namesakes get folders of their own, whatever the case of their letters', () => {
  const folders = assignFolders({}, [
    experiment('1', 'baseline'),
    experiment('2', 'baseline'),
    experiment('3', 'Baseline'),
  ])
  const lower = [...folders.values()].map((folder) => folder.toLowerCase())
  expect(new Set(lower).size).toBe(3)
  expect(folders.get('1')).toBe('baseline/baseline')
})

test('a namesake downloaded another day does not get the first one’s folder', async () => {
  const first = await foldersFor(root, [experiment('1', 'baseline')])
  const second = await foldersFor(root, [experiment('2', 'baseline')])
  const again = await foldersFor(root, [experiment('1', 'baseline')])
  expect(second.get('2')).toBe('baseline/baseline-slug2')
  expect(again.get('1')).toBe(first.get('1'))
})

test('a spoiled index is written anew', async () => {
  await writeFile(join(root, '.grid-folders.json'), '{not json')
  expect((await foldersFor(root, [experiment('1', 'x')])).get('1')).toBe('x/x')
})
