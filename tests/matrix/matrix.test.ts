/**
 * The whole permission table under every preset, generated: each action is done through each door that has it (REST, the
 * protocol of the wandb client, the command line), by somebody in each column, and must end as the table says.
 */
import { allActions, type Action, policyPresetNames } from '@teamgrid/api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startApp, type TestApp } from '../support/app.ts'
import { cliDoor, type Door, restDoor, wandbDoor } from './doors.ts'
import { aWorld, cast, type Outcome, type World } from './world.ts'

let app: TestApp
let world: World
beforeAll(async () => {
  app = await startApp()
  world = await aWorld(app)
}, 120_000)
afterAll(async () => {
  expect(app?.errors).toEqual([])
  await app?.close()
})

const doors = [
  { door: 'REST', via: 'web', acts: restDoor },
  { door: 'the wandb protocol', via: 'wandb', acts: wandbDoor },
  { door: 'grid', via: 'cli', acts: cliDoor },
] as const satisfies readonly { door: string; via: 'web' | 'wandb' | 'cli'; acts: Door }[]

describe.each(policyPresetNames)('under the preset %s', (preset) => {
  beforeAll(() => world.choose(preset), 60_000)

  describe.each(doors)('through $door', ({ via, acts }) => {
    test.each(Object.keys(acts) as Action[])('%s', { timeout: 120_000 }, async (action) => {
      const found: Partial<Record<string, Outcome>> = {}
      const wanted: Partial<Record<string, Outcome>> = {}
      for (const column of cast) {
        wanted[column] = world.expected(column, action, preset, via)
        // View-only members have no key, so the command line does not let them in at all.
        if (via === 'cli' && column === 'V') wanted[column] = 'unauthenticated'
        found[column] = await acts[action as keyof typeof acts]!(world, column)
      }
      expect(found).toEqual(wanted)
    })
  })
})

test('every action of the table is done above, or named here with what it waits for', () => {
  const done = new Set(doors.flatMap(({ acts }) => Object.keys(acts)))
  const missing = allActions.filter((action) => !done.has(action))
  expect(missing.filter((action) => waitsFor(action) === undefined)).toEqual([])
})

/** What has no door yet, or is proven by tests of its own. */
function waitsFor(action: Action): string | undefined {
  const [noun] = action.split(':')
  const nouns: Record<string, string> = {
    run: 'tests of runs; their rows are those of experiments',
    session: 'sessions',
    datastore: 'runs and sessions, and tests of datastores',
    artifact: 'tests of artifacts',
    credential: 'compute',
    cluster: 'compute',
    alert: 'tests of alerts',
    key: 'tests of people and keys',
    data: 'tests of export',
    tensorboard: 'TensorBoard',
    history: 'the lists of experiments, which are filtered',
    audit: 'tests of the audit log',
    link: 'shared links',
  }
  const actions: Partial<Record<Action, string>> = {
    'policy:read': 'stands in the answer of team:read',
    'experiment:clone': 'clones',
    'experiment:share': 'shared links',
    'experiment:comment': 'comments',
    'experiment:restore': 'a trash',
    'experiment:archive': 'an archive',
    'file:delete': 'tests of files',
    'project:rename': 'renaming projects',
    'invite:revoke': 'tests of invitations',
    'team:delete': 'deleting teams',
    'org:teams': 'the list of team requests, which is filtered',
    'org:audit': 'tests of the audit log',
    'billing:read': 'the plan, which leaves the rest out',
  }
  return actions[action] ?? nouns[noun!]
}
