import { describe, expect, test } from 'vitest'
import { adas, answers, member, orgAdmin, owner, people, teamAdmin, withSwitch } from './policy-cast.ts'
import { cellText } from './policy-docs.ts'
import {
  booleanSwitchKeys,
  defaultPolicy,
  isSetByOrganisation,
  policyKeys,
  resolvePolicy,
} from './policy-switches.ts'
import type { Policy } from './policy-switches.ts'
import { allActions, columns, implied } from './policy-table.ts'
import type { Action } from './policy-table.ts'
import { can } from './policy.ts'
import type { Subject } from './policy.ts'

describe('presets', () => {
  const mayOnAdas = (preset: Policy['preset']) =>
    (
      [
        'experiment:stop',
        'experiment:delete',
        'session:pause',
        'session:delete',
        'session:open',
        'session:ssh',
        'datastore:delete',
        'member:invite',
        'experiment:read',
        'datastore:browse',
      ] as const satisfies Action[]
    ).filter((action) => answers(member, action, adas, resolvePolicy(preset)))

  test('default: a team mate may stop a run, open JupyterLab and look', () => {
    expect(mayOnAdas('default')).toEqual([
      'experiment:stop',
      'session:open',
      'experiment:read',
      'datastore:browse',
    ])
  })
  test('grid-2021: a team mate may not stop a run', () => {
    expect(mayOnAdas('grid-2021')).toEqual(['session:open', 'experiment:read', 'datastore:browse'])
  })
  test('grid-2022: a team mate may stop and delete a run, and logs of others are not for the command line', () => {
    expect(mayOnAdas('grid-2022')).toEqual([
      'experiment:stop',
      'experiment:delete',
      'session:open',
      'experiment:read',
      'datastore:browse',
    ])
    for (const action of ['log:read', 'artifact:download', 'file:download'] as const) {
      const fromCommandLine = can({ ...member, via: 'cli' }, action, adas, resolvePolicy('grid-2022'))
      expect(fromCommandLine).toMatchObject({ because: 'policy', policy: 'cli_cross_user_logs_artifacts' })
      expect(answers({ ...member, via: 'web' }, action, adas, resolvePolicy('grid-2022'))).toBe(true)
      expect(answers({ ...owner, via: 'cli' }, action, adas, resolvePolicy('grid-2022'))).toBe(true)
      expect(answers({ ...member, via: 'cli' }, action, adas, defaultPolicy)).toBe(true)
    }
  })
  test('wandb: only creator or admin stops a run and opens a session', () => {
    expect(mayOnAdas('wandb')).toEqual(['experiment:read', 'datastore:browse'])
    expect(answers(teamAdmin, 'experiment:stop', adas, resolvePolicy('wandb'))).toBe(true)
    expect(answers(owner, 'session:open', adas, resolvePolicy('wandb'))).toBe(true)
  })
})

describe('resolving a policy', () => {
  test('takes default, preset, the team’s choice and the organisation’s lock, the later the stronger', () => {
    expect(resolvePolicy('wandb').switches.members_stop_runs).toBe(false)
    expect(resolvePolicy('wandb', { members_stop_runs: true }).switches.members_stop_runs).toBe(true)
    const locked = resolvePolicy('wandb', { members_stop_runs: true }, { members_stop_runs: false })
    expect(locked.switches.members_stop_runs).toBe(false)
    expect(locked.locked).toEqual(['members_stop_runs'])
  })
  test('ignores what it does not know and values of the wrong type', () => {
    const odd = { members_delete_runs: 'yes', session_jupyter: 'everyone', constructor: true } as never
    expect(resolvePolicy('default', odd, odd)).toEqual(defaultPolicy)
  })
  test('a preset name from elsewhere gives the defaults', () => {
    expect(resolvePolicy('toString' as never)).toEqual(defaultPolicy)
  })
  test('a team cannot grant itself what the organisation decides', () => {
    const greedy = resolvePolicy('default', {
      team_admin_adds_credit: true,
      team_admin_creates_teams: true,
      org_admin_sees_content: false,
    })
    expect(greedy.switches).toEqual(defaultPolicy.switches)
    expect(
      resolvePolicy('default', {}, { team_admin_adds_credit: true }).switches.team_admin_adds_credit,
    ).toBe(true)
  })
  test('a locked switch is refused to team admins with its reason, not to organisation admins', () => {
    const policy = resolvePolicy('default', {}, { members_delete_runs: false })
    const change = { teamId: 'team', policyKey: 'members_delete_runs' } as const
    const refused = can(teamAdmin, 'policy:edit', change, policy)
    expect(refused).toMatchObject({ because: 'locked', policy: 'members_delete_runs' })
    expect(refused).toHaveProperty('sentence', expect.stringContaining('locked by your organisation'))
    expect(answers(orgAdmin, 'policy:edit', change, policy)).toBe(true)
    expect(answers(teamAdmin, 'policy:edit', { ...change, policyKey: 'session_ssh' }, policy)).toBe(true)
    expect(
      can(teamAdmin, 'policy:edit', { ...change, policyKey: 'team_admin_adds_credit' }, policy),
    ).toMatchObject({
      because: 'locked',
    })
    expect(can(member, 'policy:edit', change, policy)).toMatchObject({ because: 'role' })
  })
})

test('every switch opens or closes something', () => {
  const granting = (policy: Policy) =>
    [...Object.values(people), { ...member, via: 'cli' } as Subject]
      .flatMap((subject) => allActions.map((action) => `${answers(subject, action, adas, policy)}`))
      .join()
  for (const key of policyKeys) {
    expect(granting(withSwitch(key, true)), key).not.toBe(granting(withSwitch(key, false)))
  }
  expect(booleanSwitchKeys.filter(isSetByOrganisation)).toHaveLength(3)
  expect(implied.flatMap((row) => columns.map((column) => cellText(row.cells[column])))).not.toContain('')
})
