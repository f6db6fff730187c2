import { readFileSync } from 'node:fs'
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
import { matrixMarkdown, rowText } from './policy-docs.ts'
import { defaultPolicy } from './policy-switches.ts'
import type { PolicyKey } from './policy-switches.ts'
import { allActions, allRows, columns, matrix } from './policy-table.ts'
import type { Action, Column } from './policy-table.ts'
import { can } from './policy.ts'
import type { Resource, Subject } from './policy.ts'

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
