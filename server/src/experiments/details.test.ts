import { expect, test } from 'vitest'
import { detailsOf } from './details.ts'
import type { StoredExperiment } from './types.ts'

const at = new Date('2026-11-22T10:00:00Z')
const stored: StoredExperiment = {
  id: 'i',
  teamId: 't',
  ownerId: 'u',
  kind: 'experiment',
  label: 'n',
  projectId: 'p',
  projectName: 'digits',
  projectNumber: 1,
  teamSlug: 'team',
  slug: 's',
  name: 'n',
  state: 'running',
  exitCode: null,
  createdBy: { id: 'u', username: 'ada', name: 'Ada', email: null },
  via: null,
  notes: '',
  tags: [],
  group: null,
  jobType: null,
  sweepName: null,
  host: null,
  program: null,
  repo: null,
  commit: null,
  config: {},
  summary: {},
  createdAt: at,
  updatedAt: at,
  heartbeatAt: new Date(at.getTime() + 2500),
  endedAt: null,
  stopRequested: false,
  historyLines: 3,
  systemLines: 0,
  consoleLines: 4,
  branchedFrom: null,
  rewritten: false,
  moved: false,
}

test('an experiment that told nothing of itself has nothing to show and no error', () => {
  expect(detailsOf(stored, 0)).toMatchObject({
    git: null,
    command: null,
    environment: {},
    metricDefinitions: [],
    durationSeconds: 2.5,
  })
  for (const config of [{ _wandb: 1 }, { _wandb: { value: null } }, { _wandb: { value: { e: [], m: {} } } }])
    expect(detailsOf({ ...stored, config }, 0)).toMatchObject({ environment: {}, metricDefinitions: [] })
})

test('config is shown as the script set it, and the command can be pasted into a shell', () => {
  const environment = {
    startedAt: '2026-11-22T10:00:00Z',
    host: 'gpu-1',
    program: '/home/a/train.py',
    codePathLocal: 'train.py',
    args: ['--name', "it's", '--lr=0.1'],
    git: { remote: 'git@example.org:a/b.git', commit: 'abc' },
  }
  const details = detailsOf(
    {
      ...stored,
      config: {
        lr: { value: 0.1, desc: null },
        nested: { value: { value: 1 } },
        bare: 3,
        _wandb: { value: { e: { w2: { startedAt: '2026-11-22T11:00:00Z' }, w1: environment } } },
      },
      summary: { acc: 1, _wandb: { runtime: 3 } },
    },
    2,
  )
  expect(details).toMatchObject({
    config: { lr: 0.1, nested: { value: 1 }, bare: 3 },
    summary: { acc: 1 },
    host: 'gpu-1',
    command: `python train.py --name 'it'\\''s' --lr=0.1`,
    git: { remote: 'git@example.org:a/b.git', commit: 'abc' },
    environment,
    files: 2,
  })
  expect(details.summary).not.toHaveProperty('_wandb')
})

test('older clients tell of their machine in a file', () => {
  const details = detailsOf(stored, 1, { program: 'a.py', git: { commit: 'c' } })
  expect(details).toMatchObject({ command: 'python a.py', git: { remote: null, commit: 'c' } })
})

test('how a key wants to be drawn: by name or by pattern, its x axis by name or by place', () => {
  const m = [
    { '1': 'loss', '5': 2, '6': [1, 3], '7': [1] },
    { '1': 'epoch', '6': [], '7': null },
    { '2': 'val/*', '4': 'epoch', '6': [2], '8': 2 },
    { '1': 'lost', '5': 99 },
  ]
  expect(detailsOf({ ...stored, config: { _wandb: { value: { m } } } }, 0).metricDefinitions).toEqual([
    { key: 'loss', glob: null, stepKey: 'epoch', hidden: false, goal: null },
    { key: 'epoch', glob: null, stepKey: null, hidden: false, goal: null },
    { key: null, glob: 'val/*', stepKey: 'epoch', hidden: true, goal: 'maximize' },
    { key: 'lost', glob: null, stepKey: null, hidden: false, goal: null },
  ])
})
