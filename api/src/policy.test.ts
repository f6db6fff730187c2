import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { cellText, matrixMarkdown, rowText } from './policy-docs.ts'
import { refusal } from './policy-refusal.ts'
import {
  booleanSwitchKeys,
  defaultPolicy,
  isSetByOrganisation,
  policyKeys,
  policyPresetNames,
  resolvePolicy,
} from './policy-switches.ts'
import type { Policy, PolicyKey, PolicySwitches } from './policy-switches.ts'
import { allActions, allRows, columns, implied, matrix } from './policy-table.ts'
import type { Action, Column } from './policy-table.ts'
import { can, codeOf, jobKeyActions } from './policy.ts'
import type { Resource, Subject, Verdict } from './policy.ts'

// Written down by hand from the product's permission matrix, not derived from the table: # | O | M | V | S | TA | OA | N.
const expected = `
1 | Y | Y | Y | Y | Y | Y | N
2 | - | N | N | N | P:team_admin_creates_teams=off | Y | N
3 | - | P:members_can_invite=off | N | N | Y | Y | N
4 | - | N (team:leave Y) | N (team:leave Y) | N | Y | Y | N
5 | - | N | N | N | Y | Y | N
6 | - | N | N | N | Y | Y | N
7 | Y | Y | Y | N | Y | Y | N
8 | - | N | N | N | Y | Y | N
9 | Y | Y | Y | Y | Y | Y | N
10 | Y | Y | Y | Y | Y | Y | N
11 | Y | Y | Y | Y | Y | Y | N
12 | Y | Y | Y | Y | Y | Y | N
13 | Y | Y | Y | N | Y | Y | N
14 | Y | Y | P:view_only_downloads=on | Y | Y | Y | link only
15 | - | Y | N | Y | Y | Y | N
16 | Y | Y | N | Y | Y | Y | N
17 | Y | Y | N | N | Y | Y | N
18 | Y | N (run:annotate P:members_edit_notes=on; experiment:annotate P:members_edit_notes=on; run:comment Y; experiment:comment Y; notes and tags only) | N (run:comment Y; experiment:comment Y) | own | Y | Y | N
19 | Y | P:members_stop_runs=on | N | own | Y | Y | N
20 | Y | P:members_delete_runs=off | N | own | Y | Y | N
21 | Y | P:members_archive_runs=on | N | own | Y | Y | N
22 | Y | P:members_move_runs=off | N | own | Y | Y | N
23 | Y | N | N | N | Y | Y | N
24 | Y | follows 20 | N | own | Y | Y | N
25 | Y | follows 20 | N | own | Y | Y | N
26 | N (only own runs inside) | N | N | N | Y | Y | N
27 | Y | Y | Y | Y | Y | Y | N
28 | Y | P:session_jupyter=team (not closed by its owner) | N | N | Y (audited) | N (audited break-glass) | N
29 | Y | P:session_ssh=off | N | own | N | N | N
30 | Y | P:session_ssh=off | N | N | N | N | N
31 | - | Y | N | P:service_sessions=off | Y | Y | N
32 | Y | P:members_pause_sessions=off | N | own | Y | Y | N
33 | Y | N | N | own | P:admin_resume=off | N | N
34 | Y | P:members_delete_sessions=off | N | own | Y | Y | N
35 | Y | N | N | own | Y | Y | N
36 | Y | Y | Y | Y | Y | Y | N
37 | Y | Y | P:view_only_downloads=on | Y | Y | Y | N
38 | Y | Y | N | Y | Y | Y | N
39 | Y | Y | N | Y | Y | Y | N
40 | Y | Y (own name space) | N | Y | Y | Y | N
41 | Y | P:members_version_others=off | N | own | Y | Y | N
42 | Y | P:members_delete_datastores=off | N | own | Y | Y | N
43 | Y | Y | N | N | Y | Y | N
44 | Y | Y | N | Y | Y | Y | N
45 | Y | Y | N | N | Y | Y | N
46 | Y | N | N | N | Y | Y | N
47 | - | N | N | N | Y (team cluster) | Y | N
48 | Y | Y | P:view_only_sees_cost=off | Y | Y | Y (billing user too) | N
49 | - | N | N | N | P:team_admin_adds_credit=off | Y (billing user too) | N
50 | - | N | N | N | N (budget:edit Y) | Y | N
51 | - | N | N | N | N | Y (billing user: billing:edit-info) | N
52 | Y | Y | Y | Y | Y | Y | link only
53 | Y | Y | Y | N | Y | Y | N
54 | Y | Y | N | Y | Y | Y | N
55 | Y | if shared for editing | N | own | Y | Y | N
56 | Y | N | N | own | Y | Y | N
57 | - | N | N | N | Y | Y | N
58 | Y | Y | Y | - | Y | Y | N
59 | - | Y | N | Y | Y | Y | N
60 | Y | Y (team-visible) | P:view_only_downloads=on | Y | Y | Y | N
61 | own | own | N | N | Y | Y | N
62 | - | N | N | N | Y | Y (can lock org-wide) | N
`
  .trim()
  .split('\n')

const people: Record<Column, Subject> = {
  O: { userId: 'ada', role: 'member', orgRole: 'member' },
  M: { userId: 'bob', role: 'member', orgRole: 'member' },
  V: { userId: 'vera', role: 'viewer', orgRole: 'member' },
  S: { userId: 'robot', role: 'service', orgRole: 'member' },
  TA: { userId: 'grace', role: 'admin', orgRole: 'member' },
  OA: { userId: 'olga', role: null, orgRole: 'admin' },
  N: { userId: 'sam', role: null, orgRole: 'member' },
}
const { M: member, V: viewer, S: service, TA: teamAdmin, OA: orgAdmin, N: stranger, O: owner } = people
const anonymous: Subject = { userId: null, role: null, orgRole: null }
const adas: Resource = { teamId: 'team', ownerId: 'ada' }
const answers = (subject: Subject, action: Action, resource = adas, policy: Policy = defaultPolicy) =>
  can(subject, action, resource, policy).allowed
const withSwitch = (key: PolicyKey, isOn: boolean): Policy => {
  const value = key === 'session_jupyter' ? (isOn ? 'team' : 'owner') : isOn
  return resolvePolicy('default', {}, { [key]: value } as Partial<PolicySwitches>)
}

describe('the table', () => {
  test('says what the permission matrix says, cell by cell, in all 62 rows', () => {
    expect(matrix.map(rowText)).toEqual(expected)
  })

  test('has every action in exactly one row, and names only its own actions in exceptions', () => {
    expect(new Set(allActions).size).toBe(allActions.length)
    expect(new Set(allRows.map((row) => row.number)).size).toBe(allRows.length)
    for (const row of allRows) {
      for (const column of columns) {
        const cell = row.cells[column]
        const named = typeof cell === 'string' ? [] : Object.keys(cell.but ?? {})
        const billed = typeof cell === 'string' || typeof cell.billing !== 'object' ? [] : cell.billing
        for (const action of [...named, ...billed]) expect(row.actions).toContain(action)
      }
    }
  })

  test('docs/roles.md is the table as it is now (node scripts/roles.mjs writes it)', () => {
    const written = readFileSync(new URL('../../docs/roles.md', import.meta.url), 'utf8')
    expect(written).toBe(matrixMarkdown())
  })
})

describe('deciding as the matrix says', () => {
  const owned = (column: Column): Resource => ({ teamId: 'team', ownerId: people[column].userId })

  test.each(expected)('row %s', (line) => {
    const [number, ...cells] = line.split(' | ')
    const row = matrix.find((each) => String(each.number) === number)!
    cells.forEach((cell, index) => {
      const column = columns[index]!
      const subject = people[column]
      for (const action of row.actions) {
        const what = `${action} by ${column}: ${cell}`
        // Rows about things that have no owner ("-") are asked without one.
        const resource: Resource = cells[0] === '-' ? { teamId: 'team', ownerId: null } : adas
        if (column === 'O' && cell === '-') continue
        switch (plain(cell, action)) {
          case 'Y':
            expect(answers(subject, action, resource), what).toBe(true)
            break
          case 'N':
          case '-':
            // Project, session and report owners are members too: M may say more, but never for these rows.
            expect(answers(subject, action, resource), what).toBe(false)
            break
          case 'own':
            expect(answers(subject, action, owned(column)), what).toBe(true)
            if (column !== 'O') expect(answers(subject, action, adas), what).toBe(false)
            break
          case 'P': {
            const [, key, initial] = /P:(\w+)=(\w+)/.exec(cellFor(cell, action))!
            expect(answers(subject, action, resource), `${what}, by default`).toBe(initial !== 'off')
            expect(
              answers(subject, action, resource, withSwitch(key as PolicyKey, true)),
              `${what}, on`,
            ).toBe(true)
            const refused = can(subject, action, resource, withSwitch(key as PolicyKey, false))
            expect(refused, `${what}, off`).toMatchObject({ allowed: false, because: 'policy', policy: key })
            break
          }
          case 'special':
            expect(specials, what).toContain(`${number} ${column}`)
            break
        }
      }
    })
  })

  /** Cells whose condition has a test of its own below. */
  const specials = ['14 N', '52 N', '24 M', '25 M', '28 OA', '40 M', '47 TA', '55 M']

  function cellFor(cell: string, action: Action): string {
    const exception = new RegExp(`${action} ([^;)]+)`).exec(cell)
    return exception?.[1] ?? cell
  }
  function plain(cell: string, action: Action): 'Y' | 'N' | '-' | 'own' | 'P' | 'special' {
    const text = cellFor(cell, action)
    if (text.startsWith('P:')) return 'P'
    if (/follows|link only|if shared|name space|team cluster|break-glass/.test(text)) return 'special'
    return text.split(' ')[0] as 'Y' | 'N' | '-' | 'own'
  }

  test('14, 52: a link opens just that item, to anyone, also where the policy stops a viewer', () => {
    for (const action of ['artifact:download', 'file:download', 'report:read', 'link:open'] as const) {
      expect(answers(anonymous, action)).toBe(false)
      expect(answers(anonymous, action, { ...adas, openedByLink: true })).toBe(true)
      expect(answers(stranger, action, { ...adas, openedByLink: true })).toBe(true)
      expect(
        answers(viewer, action, { ...adas, openedByLink: true }, withSwitch('view_only_downloads', false)),
      ).toBe(true)
    }
    expect(can(anonymous, 'experiment:delete', { ...adas, openedByLink: true }, defaultPolicy)).toMatchObject(
      {
        because: 'stranger',
      },
    )
  })

  test('24, 25: artifacts and sweeps follow the switch for deleting runs', () => {
    for (const action of ['artifact:delete', 'file:delete', 'sweep:delete'] as const) {
      expect(answers(member, action)).toBe(false)
      expect(answers(member, action, adas, withSwitch('members_delete_runs', true))).toBe(true)
      expect(answers(viewer, action, adas, withSwitch('members_delete_runs', true))).toBe(false)
    }
  })

  test('23: a run that was moved into a project is its creator’s and the admins’ to delete, whatever the switch', () => {
    const policy = withSwitch('members_delete_runs', true)
    for (const action of ['run:delete', 'experiment:delete', 'sweep:delete'] as const) {
      expect(answers(member, action, adas, policy)).toBe(true)
      expect(answers(member, action, { ...adas, isMoved: true }, policy)).toBe(false)
      expect(answers(owner, action, { ...adas, isMoved: true }, policy)).toBe(true)
      expect(answers(teamAdmin, action, { ...adas, isMoved: true }, policy)).toBe(true)
    }
  })

  test('28: the owner can close JupyterLab to team mates, an admin’s visit is audited, the organisation breaks glass', () => {
    const closed: Resource = { ...adas, share: 'none' }
    expect(answers(member, 'session:open')).toBe(true)
    expect(answers(member, 'session:open', closed)).toBe(false)
    expect(answers(owner, 'session:open', closed)).toBe(true)
    expect(can(owner, 'session:open', closed, defaultPolicy)).toEqual({ allowed: true })
    expect(can(teamAdmin, 'session:open', closed, defaultPolicy)).toEqual({
      allowed: true,
      audited: true,
      confirm: true,
    })
    expect(answers(orgAdmin, 'session:open')).toBe(false)
    const broken = can({ ...orgAdmin, breaksGlass: true }, 'session:open', adas, defaultPolicy)
    expect(broken).toEqual({ allowed: true, audited: true, confirm: true })
    expect(answers({ ...stranger, breaksGlass: true }, 'session:open')).toBe(false)
  })

  test('40, 47, 55: own name space, team cluster, shared for editing', () => {
    expect(answers(member, 'datastore:create')).toBe(false)
    expect(answers(member, 'datastore:create', { teamId: 'team', ownerId: 'bob' })).toBe(true)
    expect(answers(teamAdmin, 'cluster:edit', { teamId: 'team', clusterOf: 'team' })).toBe(true)
    expect(answers(teamAdmin, 'cluster:edit', { teamId: 'team', clusterOf: 'organisation' })).toBe(false)
    expect(answers(teamAdmin, 'cluster:edit', { teamId: 'team' })).toBe(false)
    expect(answers(member, 'report:edit')).toBe(false)
    expect(answers(member, 'report:edit', { ...adas, share: 'edit' })).toBe(true)
    expect(answers(viewer, 'report:edit', { ...adas, share: 'edit' })).toBe(false)
  })

  test('48, 49, 51: the billing user sees balance and invoices, adds credit, edits billing info, and nothing else', () => {
    const billing: Subject = { userId: 'bill', role: null, orgRole: 'billing' }
    const granted = allActions.filter((action) => answers(billing, action))
    expect(granted.toSorted()).toEqual(
      ['balance:read', 'billing:edit-info', 'billing:read', 'credit:add', 'usage:read'].toSorted(),
    )
    expect(can(billing, 'experiment:read', adas, defaultPolicy)).toMatchObject({ because: 'stranger' })
  })

  test('a service account acts on what it made for somebody, and that person owns it', () => {
    const made: Resource = { teamId: 'team', ownerId: 'ada', createdById: 'robot' }
    for (const action of ['experiment:log', 'experiment:stop', 'experiment:delete'] as const) {
      expect(answers(service, action, made)).toBe(true)
      expect(answers(owner, action, made)).toBe(true)
      expect(answers(service, action, adas)).toBe(false)
    }
  })
})

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
