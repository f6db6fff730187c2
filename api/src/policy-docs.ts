/** The permission table as text: for docs/roles.md, and for tests to compare with. */
import {
  describeSwitch,
  isSetByOrganisation,
  policyKeys,
  policyPresetNames,
  resolvePolicy,
} from './policy-switches.ts'
import type { PolicyKey, PolicySwitches } from './policy-switches.ts'
import { columns, implied, matrix } from './policy-table.ts'
import type { Cell, Row } from './policy-table.ts'
import { jobKeyActions } from './policy.ts'

/** One cell in the words of the documentation: `Y`, `N`, `own`, `-`, `P:members_stop_runs=on`, `Y (audited)` … */
export function cellText(cell: Cell): string {
  if (typeof cell === 'string') return { yes: 'Y', no: 'N', own: 'own', none: '-' }[cell]
  const remarks: string[] = []
  let text = cell.base === undefined ? 'Y' : cellText(cell.base)
  if (cell.policy !== undefined) text = `P:${cell.policy}=${valueText(cell.policy, resolvePolicy().switches)}`
  if (cell.follows !== undefined) text = `follows ${cell.follows}`
  if (cell.when === 'break-glass') return 'N (audited break-glass)'
  if (cell.when === 'link only' || cell.when === 'if shared for editing') text = cell.when
  else if (cell.when !== undefined) remarks.push(cell.when)
  if (cell.audited) remarks.push('audited')
  for (const [action, exception] of Object.entries(cell.but ?? {}))
    remarks.push(`${action} ${cellText(exception)}`)
  if (cell.billing === true) remarks.push('billing user too')
  else if (cell.billing !== undefined) remarks.push(`billing user: ${cell.billing.join(', ')}`)
  if (cell.note !== undefined) remarks.push(cell.note)
  return remarks.length === 0 ? text : `${text} (${remarks.join('; ')})`
}

/** One row as `number | O | M | V | S | TA | OA | N`. */
export function rowText(row: Row): string {
  return [String(row.number), ...columns.map((column) => cellText(row.cells[column]))].join(' | ')
}

/** The whole of docs/roles.md, ending in a line break. Written by scripts/roles.mjs. */
export function matrixMarkdown(): string {
  return `${[
    '<!-- Generated from api/src/policy-table.ts by `node scripts/roles.mjs`. Do not edit. -->',
    '# Roles and permissions',
    introduction,
    '## Who may do what',
    legend,
    rowsMarkdown(matrix),
    '### What these rows imply',
    rowsMarkdown(implied),
    '## Policy switches',
    'A team admin sets these for the team, one by one or with a preset. An organisation admin can lock any of them; ' +
      'the last column names those that only the organisation sets.',
    switchesMarkdown(),
    '## What a job’s key may do',
    'An API key does what its user may. The key that a job gets on its machine may do this and nothing else, and ' +
      'only while its user may do it:',
    Object.entries(jobKeyActions)
      .map(([action, reach]) => `- \`${action}\`${reach === 'any' ? '' : ': for its own experiment only'}`)
      .join('\n'),
  ].join('\n\n')}\n`
}

const introduction = `Every request, from the browser, the command line, the \`wandb\` client or the API, is decided with this one table.
What it does not grant is refused. Who is not in a team gets the same answer as for something that does not exist.

- **Owner** is who made a thing, or the person a service account made it for, while still a member or admin of the team.
- **View-only** members see, follow and comment. They have no API key, and no policy lets them change anything.
- **Service accounts** have an API key and no web login.
- **Team admins** are members too. **Organisation admins** need not be in a team; what they do to the content of a team
  they are not in is written to the audit log, and the switch \`org_admin_sees_content\` off closes that content to them.
- In a **personal team** its user is the admin and nobody else can be invited, promoted or removed. Its content is
  closed to organisation admins; its usage, credit and policy are not. What the organisation grants to team admins
  does not count there.
- A \`private\` datastore or other thing is its owner's and the admins' alone.
- Acting on somebody else's thing is written to the audit log; stopping, deleting, moving and the like ask first.`

const legend = `Y yes; N no; - does not arise; own = only on one's own; \`P:switch=default\` = while the team's policy says so.
Columns: **O** owner, **M** other member, **V** view-only, **S** service account, **TA** team admin, **OA** organisation admin,
**N** everybody else.`

function rowsMarkdown(rows: readonly Row[]): string {
  return [
    `| # | activity | actions | ${columns.join(' | ')} |`,
    `|---|---|---|${columns.map(() => '---|').join('')}`,
    ...rows.map((row) => {
      const actions = row.actions.map((action) => `\`${action}\``).join(' ')
      return `| ${row.number} | ${row.says} | ${actions} | ${columns.map((column) => cellText(row.cells[column])).join(' | ')} |`
    }),
  ].join('\n')
}

function switchesMarkdown(): string {
  const presets = policyPresetNames.map((preset) => resolvePolicy(preset).switches)
  return [
    `| switch | lets it happen | ${policyPresetNames.map((name) => `\`${name}\``).join(' | ')} | set by |`,
    `|---|---|${policyPresetNames.map(() => '---|').join('')}---|`,
    ...policyKeys.map((key) => {
      const values = presets.map((switches) => valueText(key, switches)).join(' | ')
      return `| \`${key}\` | ${describeSwitch(key)} | ${values} | ${isSetByOrganisation(key) ? 'organisation' : 'team'} |`
    }),
  ].join('\n')
}

function valueText(key: PolicyKey, switches: Readonly<PolicySwitches>): string {
  const value = switches[key]
  return typeof value === 'string' ? value : value ? 'on' : 'off'
}
