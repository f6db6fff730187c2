import { describe, expect, test } from 'vitest'
import { adas, member, stranger, viewer } from './policy-cast.ts'
import { refusal } from './policy-refusal.ts'
import { defaultPolicy, resolvePolicy } from './policy-switches.ts'
import { allActions } from './policy-table.ts'
import { can } from './policy.ts'
import type { Resource, Verdict } from './policy.ts'

describe('the sentence', () => {
  const named: Resource = {
    ...adas,
    kind: 'run',
    name: 'fine-otter-3',
    ownerName: 'ada',
    adminNames: ['grace', 'linus'],
  }
  const sentence = (verdict: Verdict) => (verdict.allowed ? 'allowed' : verdict.sentence)

  test('names the thing, its owner, the switch, and whom to ask', () => {
    expect(sentence(can(member, 'run:delete', named, defaultPolicy))).toBe(
      'Warning: run fine-otter-3 belongs to ada. Team policy "members_delete_runs" does not let members delete it. ' +
        'Ask ada or a team admin (grace, linus).',
    )
    expect(
      sentence(can(member, 'session:ssh', { ...named, kind: 'session', name: 'lab' }, defaultPolicy)),
    ).toBe(
      'Warning: session lab belongs to ada. Team policy "session_ssh" does not let members SSH into it. ' +
        'Ask ada or a team admin (grace, linus).',
    )
  })
  test('names what was to be created, and not the place where', () => {
    const team: Resource = { ...adas, kind: 'team', name: 'vision', ownerName: 'ada', adminNames: ['grace'] }
    expect(sentence(can(viewer, 'project:create', team, defaultPolicy))).toBe(
      'Warning: Your role (view-only) does not let you create a project in team vision. Ask a team admin (grace).',
    )
    expect(sentence(can(viewer, 'run:create', { ...team, makes: 'sweep' }, defaultPolicy))).toBe(
      'Warning: Your role (view-only) does not let you create a sweep in team vision. Ask a team admin (grace).',
    )
    expect(
      sentence(can({ ...viewer, keyScope: 'user' }, 'experiment:create', team, defaultPolicy)),
    ).toContain('does not let you create an experiment in team vision. Sign in')
  })
  test('names the role when that is the reason', () => {
    expect(sentence(can(viewer, 'run:stop', named, defaultPolicy))).toBe(
      'Warning: run fine-otter-3 belongs to ada. Your role (view-only) does not let you stop it. ' +
        'Ask ada or a team admin (grace, linus).',
    )
    expect(sentence(can({ ...viewer, keyScope: 'user' }, 'run:read', named, defaultPolicy))).toContain(
      'has no API key',
    )
  })
  test('says when only the owner may', () => {
    const verdict = can(member, 'report:delete', { ...named, kind: 'report', name: 'Week 3' }, defaultPolicy)
    expect(verdict).toMatchObject({ because: 'not_owner' })
    expect(sentence(verdict)).toBe(
      'Warning: report Week 3 belongs to ada. Your role does not let you delete it, as it is not yours. ' +
        'Ask ada or a team admin (grace, linus).',
    )
  })
  test('points to the browser where only the command line is closed', () => {
    const verdict = can({ ...member, via: 'cli' }, 'log:read', named, resolvePolicy('grid-2022'))
    expect(sentence(verdict)).toBe(
      'Warning: run fine-otter-3 belongs to ada. Team policy "cli_cross_user_logs_artifacts" does not show it on ' +
        'the command line. Open it in the browser.',
    )
  })
  test('reads well without names, and tells a stranger nothing', () => {
    expect(sentence(can(member, 'member:invite', { teamId: 'team' }, defaultPolicy))).toBe(
      'Warning: Team policy "members_can_invite" does not let members invite people. Ask a team admin.',
    )
    expect(sentence(can(stranger, 'run:delete', named, defaultPolicy))).toBe(
      'No such thing, or it is not yours to see.',
    )
    for (const action of allActions) {
      for (const because of ['role', 'not_owner'] as const) {
        expect(refusal({ because, action, role: 'member' })).toMatch(/^Warning: [^…]+\. Ask [^…]+\.$/)
      }
    }
  })
})
