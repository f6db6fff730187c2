import { describe, expect, test } from 'vitest'
import {
  adas,
  anonymous,
  answers,
  member,
  orgAdmin,
  owner,
  people,
  service,
  stranger,
  teamAdmin,
  viewer,
  withSwitch,
} from './policy-cast.ts'
import { defaultPolicy, policyKeys, policyPresetNames, resolvePolicy } from './policy-switches.ts'
import type { Policy, PolicyKey, PolicySwitches } from './policy-switches.ts'
import { allActions, allRows, columns } from './policy-table.ts'
import type { Action } from './policy-table.ts'
import { can, codeOf, jobKeyActions } from './policy.ts'
import type { Resource, Subject } from './policy.ts'

describe('refusing', () => {
  test('an action that the table does not know is refused to everybody', () => {
    for (const action of ['experiment:frobnicate', 'toString', '__proto__', ''] as unknown as Action[]) {
      for (const column of columns) expect(answers(people[column], action), `${column} ${action}`).toBe(false)
      expect(answers({ userId: null, role: null, isOperator: true }, action)).toBe(false)
    }
  })

  test('an unknown role is nobody', () => {
    for (const role of ['owner', 'Admin', '', 'constructor'] as unknown as Subject['role'][]) {
      for (const action of allActions) {
        expect(can({ userId: 'ada', role }, action, adas, defaultPolicy), action).toMatchObject({
          because: 'stranger',
        })
      }
    }
    const odd: Subject = { userId: 'ada', role: null, orgRole: 'root' as never }
    expect(allActions.filter((action) => answers(odd, action))).toEqual([])
  })

  test('a stranger, and nobody, hear that it does not exist, for everything', () => {
    for (const subject of [stranger, anonymous, { ...anonymous, orgRole: undefined }]) {
      for (const preset of policyPresetNames) {
        for (const action of allActions) {
          const verdict = can(subject, action, adas, resolvePolicy(preset))
          expect(verdict, action).toMatchObject({ allowed: false, because: 'stranger' })
          expect(verdict).not.toHaveProperty('policy')
          if (!verdict.allowed) expect(codeOf(verdict)).toBe('not_found')
        }
      }
    }
  })

  test('an owner who is no longer in the team has nothing', () => {
    for (const action of allActions) {
      expect(can({ ...owner, role: null }, action, adas, defaultPolicy), action).toMatchObject({
        because: 'stranger',
      })
    }
  })

  test('a person of the organisation hears why it does not let him manage the organisation', () => {
    expect(can(stranger, 'team:create', { teamId: null }, defaultPolicy)).toMatchObject({
      because: 'role',
      sentence: 'Warning: Your role does not let you create a team. Ask an organisation admin.',
    })
    expect(can(anonymous, 'team:create', { teamId: null }, defaultPolicy)).toMatchObject({
      because: 'stranger',
    })
  })

  test('nobody signed in owns nothing, not even what has no owner', () => {
    const nobody: Subject = { userId: null, role: 'member' }
    expect(answers(nobody, 'session:ssh', { teamId: 'team', ownerId: null })).toBe(false)
    expect(answers({ ...nobody, userId: '' }, 'session:ssh', { teamId: 'team', ownerId: '' })).toBe(false)
  })

  test('a thing that names no team is nobody’s by a role', () => {
    expect(answers(teamAdmin, 'experiment:read', { teamId: null })).toBe(false)
  })

  test('what is private is its owner’s and the admins’', () => {
    const secret: Resource = { ...adas, visibility: 'private' }
    for (const subject of [member, viewer, service]) {
      expect(can(subject, 'datastore:read', secret, defaultPolicy)).toMatchObject({ because: 'stranger' })
    }
    expect(answers(owner, 'datastore:read', secret)).toBe(true)
    expect(answers(teamAdmin, 'datastore:read', secret)).toBe(true)
  })
})

/** What the matrix itself lets view-only members do beyond looking: speak, listen and go. */
const viewerMayDo = [
  'team:leave',
  'run:comment',
  'experiment:comment',
  'report:comment',
  'report:follow',
  'alert:subscribe',
]
const writes = allRows.filter((row) => row.effect !== 'read').flatMap((row) => row.actions)
const situations: Resource[] = [undefined, 'none', 'edit'].flatMap((share) =>
  [null, 'ada', 'vera', 'sam'].flatMap((ownerId) =>
    [undefined, true].flatMap((flag) => [
      { teamId: 'team', ownerId, share, isMoved: flag, openedByLink: flag, clusterOf: 'team' } as Resource,
      { teamId: 'team', ownerId, share, isPersonalTeam: flag, visibility: flag && 'private' } as Resource,
    ]),
  ),
)

describe('under every combination of all switches', () => {
  test('looking never writes: the table marks as read only what reads', () => {
    const reads = allRows.filter((row) => row.effect === 'read').flatMap((row) => row.actions)
    for (const action of reads) {
      expect(action).toMatch(/:(read|read-value|open|download|browse|export|teams|audit)$/)
    }
  })

  test('a viewer writes nothing, except to comment, follow and leave', () => {
    let asked = 0
    for (const action of writes.filter((each) => !viewerMayDo.includes(each))) {
      for (const resource of situations) {
        asked += underEveryPolicy((policy) => {
          const verdict = can(viewer, action, resource, policy)
          if (verdict.allowed) throw new Error(`${action} ${JSON.stringify(resource)}`)
        })
      }
    }
    expect(asked).toBeGreaterThan(writes.length * situations.length * 0.9)
  })

  test('neither a stranger nor a former owner writes anything', () => {
    for (const action of writes) {
      for (const resource of situations) {
        for (const subject of [stranger, anonymous, { ...owner, role: null }]) {
          underEveryPolicy((policy) => {
            if (can(subject, action, resource, policy).allowed)
              throw new Error(`${action} ${JSON.stringify(resource)}`)
          })
        }
      }
    }
  })

  test('the search does find a combination that grants, where there is one', () => {
    const found = new Set<boolean>()
    underEveryPolicy((policy) => found.add(answers(member, 'experiment:delete', adas, policy)))
    expect(found).toEqual(new Set([false, true]))
    const views = new Set<boolean>()
    underEveryPolicy((policy) => views.add(answers(viewer, 'balance:read', adas, policy)))
    expect(views).toEqual(new Set([false, true]))
  })

  /**
   * Asks under all 2^20 combinations at once: a decision depends only on switches that it reads, so each switch is
   * tried both ways when, and only when, it is read. Returns how many different decisions there were.
   */
  function underEveryPolicy(decide: (policy: Policy) => unknown): number {
    let decisions = 0
    const open: Partial<Record<PolicyKey, unknown>>[] = [{}]
    for (let chosen = open.pop(); chosen !== undefined; chosen = open.pop()) {
      const path = { ...chosen }
      const switches = new Proxy({} as PolicySwitches, {
        get(_, name) {
          const key = policyKeys.find((each) => each === name)
          if (key === undefined) throw new Error(`No such switch: ${String(name)}`)
          if (!(key in path)) {
            const [first, second] = key === 'session_jupyter' ? ['team', 'owner'] : [true, false]
            open.push({ ...path, [key]: second })
            path[key] = first
          }
          return path[key]
        },
      })
      decide({ preset: 'default', switches, locked: [] })
      decisions += 1
    }
    return decisions
  }
})

describe('the organisation', () => {
  test('an admin sees content of a team he is not in, audited, unless the organisation closes it', () => {
    expect(can(orgAdmin, 'experiment:read', adas, defaultPolicy)).toEqual({ allowed: true, audited: true })
    const closed = withSwitch('org_admin_sees_content', false)
    expect(can(orgAdmin, 'experiment:read', adas, closed)).toMatchObject({ because: 'stranger' })
    expect(can(orgAdmin, 'member:invite', { teamId: 'team' }, closed)).toEqual({ allowed: true })
    expect(answers({ ...orgAdmin, role: 'member' }, 'experiment:read', adas, closed)).toBe(true)
    expect(can({ ...orgAdmin, role: 'member' }, 'experiment:read', adas, defaultPolicy)).toEqual({
      allowed: true,
    })
  })

  test('the operator of the server counts as organisation admin', () => {
    const operator: Subject = { userId: null, role: null, isOperator: true }
    for (const action of allActions) {
      expect(can(operator, action, adas, defaultPolicy).allowed, action).toBe(answers(orgAdmin, action))
    }
  })

  test('a personal team is its user’s: nobody is invited, and its content is closed to organisation admins', () => {
    const personal: Resource = { teamId: 'ada', ownerId: 'ada', isPersonalTeam: true }
    const ada: Subject = { userId: 'ada', role: 'admin', orgRole: 'member' }
    for (const action of [
      'experiment:log',
      'project:delete',
      'policy:edit',
      'key:create',
      'session:ssh',
    ] as const) {
      expect(answers(ada, action, personal), action).toBe(true)
    }
    for (const action of [
      'member:invite',
      'member:edit',
      'service:create',
      'team:leave',
      'team:delete',
    ] as const) {
      expect(answers(ada, action, personal), action).toBe(false)
      expect(answers(orgAdmin, action, personal), action).toBe(false)
    }
    const generous = resolvePolicy(
      'default',
      {},
      { team_admin_adds_credit: true, team_admin_creates_teams: true },
    )
    expect(answers(ada, 'credit:add', personal, generous)).toBe(false)
    expect(answers(teamAdmin, 'credit:add', { teamId: 'team' }, generous)).toBe(true)
    expect(can(orgAdmin, 'experiment:read', personal, defaultPolicy)).toMatchObject({ because: 'stranger' })
    expect(answers(orgAdmin, 'credit:add', personal)).toBe(true)
    expect(answers(member, 'experiment:read', personal)).toBe(false)
  })
})

describe('acting on somebody else’s thing', () => {
  test('asks first and is audited; acting on one’s own is neither', () => {
    expect(can(member, 'experiment:stop', adas, defaultPolicy)).toEqual({
      allowed: true,
      audited: true,
      confirm: true,
    })
    expect(can(owner, 'experiment:stop', adas, defaultPolicy)).toEqual({ allowed: true })
    expect(can(member, 'experiment:annotate', adas, defaultPolicy)).toEqual({ allowed: true, audited: true })
    expect(can(member, 'experiment:read', adas, defaultPolicy)).toEqual({ allowed: true })
    expect(can({ ...owner, role: 'admin' }, 'session:open', adas, defaultPolicy)).toEqual({ allowed: true })
  })
})

describe('keys', () => {
  const itsOwn: Resource = { ...adas, experimentId: 'e1' }

  test('the key of a job logs to its experiment, reads datastores, writes artifacts and does nothing else', () => {
    const job: Subject = { ...owner, keyScope: 'experiment:e1' }
    const granted = allActions.filter((action) => answers(job, action, itsOwn))
    expect(granted.toSorted()).toEqual(
      [
        'alert:create',
        'artifact:create',
        'datastore:browse',
        'datastore:download',
        'datastore:read',
        'experiment:log',
        'experiment:read',
      ].toSorted(),
    )
    for (const action of ['experiment:log', 'experiment:read', 'artifact:create', 'alert:create'] as const) {
      expect(answers(job, action, { ...adas, experimentId: 'e2' }), action).toBe(false)
      expect(answers(job, action, adas), action).toBe(false)
    }
    expect(answers(job, 'datastore:read', { teamId: 'team', ownerId: 'bob' })).toBe(true)
  })

  test('narrows only: it grants nothing that its user may not do', () => {
    const key = 'experiment:e1'
    expect(Object.keys(jobKeyActions).every((action) => allActions.includes(action as Action))).toBe(true)
    expect(answers({ ...member, keyScope: key }, 'experiment:log', itsOwn)).toBe(false)
    expect(
      can({ ...owner, role: null, keyScope: key }, 'experiment:log', itsOwn, defaultPolicy),
    ).toMatchObject({
      because: 'stranger',
    })
    for (const action of allActions) {
      expect(answers({ ...member, keyScope: 'user' }, action), action).toBe(answers(member, action))
    }
  })

  test('a scope that nobody knows, or that names no experiment, opens nothing', () => {
    for (const keyScope of [
      'experiment:',
      'experiments:e1',
      '',
      'admin',
    ] as unknown as Subject['keyScope'][]) {
      const granted = allActions.filter((action) =>
        answers({ ...owner, keyScope }, action, { ...adas, experimentId: '' }),
      )
      expect(
        granted.filter((action) => !action.startsWith('datastore:')),
        String(keyScope),
      ).toEqual([])
    }
  })

  test('no key opens a team to its view-only member, not even to look', () => {
    for (const action of allActions)
      expect(answers({ ...viewer, keyScope: 'user' }, action), action).toBe(false)
    expect(answers(viewer, 'experiment:read')).toBe(true)
  })
})
