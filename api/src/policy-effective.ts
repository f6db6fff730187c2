/** The permission table as one team's policy decides it now: the page "who may do what here". */
import type { Policy } from './policy-switches.ts'
import type { PolicyKey } from './policy-switches.ts'
import { allRows, columns, organisationActions } from './policy-table.ts'
import type { Action, Cell, Column, Row } from './policy-table.ts'
import { can } from './policy.ts'
import type { Subject } from './policy.ts'

/** `some`: some of the row's actions, named in `note`. */
export type EffectiveAnswer = { may: 'yes' | 'no' | 'own' | 'some'; note?: string; policy?: PolicyKey }

export type EffectiveRow = {
  number: number
  says: string
  actions: readonly Action[]
  answers: Record<Column, EffectiveAnswer>
}

const cast: Record<Column, Subject> = {
  O: { userId: 'owner', role: 'member', orgRole: 'member' },
  M: { userId: 'member', role: 'member', orgRole: 'member' },
  V: { userId: 'viewer', role: 'viewer', orgRole: 'member' },
  S: { userId: 'service', role: 'service', orgRole: 'member' },
  TA: { userId: 'admin', role: 'admin', orgRole: 'member' },
  OA: { userId: 'organisation', role: null, orgRole: 'admin' },
  N: { userId: 'stranger', role: null, orgRole: 'member' },
}

/** Every row under one policy, for one thing that somebody else made; what hangs on a switch names it. */
export function effectiveTable(policy: Policy): EffectiveRow[] {
  return allRows.map((row) => ({
    number: row.number,
    says: row.says,
    actions: row.actions,
    answers: Object.fromEntries(
      columns.map((column) => [column, answerOf(row, column, policy)]),
    ) as EffectiveRow['answers'],
  }))
}

function answerOf(row: Row<Action>, column: Column, policy: Policy): EffectiveAnswer {
  const ask = (action: Action, ownerId: string) =>
    can(
      cast[column],
      action,
      {
        teamId: organisationActions.has(action) ? null : 'team',
        ownerId,
        clusterOf: 'team',
        ...(column === 'N' ? { openedByLink: false } : {}),
      },
      policy,
    ).allowed
  const someones = row.actions.filter((action) => ask(action, 'owner'))
  const switchKey = switchOf(row.cells[column])
  const named = switchKey === undefined ? {} : { policy: switchKey }
  const note = noteOf(row.cells[column])
  const remark = note === undefined ? {} : { note }
  if (someones.length === row.actions.length) return { may: 'yes', ...named, ...remark }
  if (someones.length > 0) return { may: 'some', note: someones.join(', '), ...named }
  const owns = column !== 'O' && row.actions.some((action) => ask(action, cast[column].userId!))
  // The column of owners says it already, except for those who are never in it.
  if (owns && column === 'S') return { may: 'own', ...named, ...remark }
  return { may: 'no', ...named, ...remark }
}

function switchOf(cell: Cell): PolicyKey | undefined {
  if (typeof cell === 'string') return undefined
  if (cell.policy !== undefined) return cell.policy
  if (cell.follows !== undefined) {
    const followed = allRows.find((row) => row.number === cell.follows)
    return followed && switchOf(followed.cells.M)
  }
  for (const exception of Object.values(cell.but ?? {})) {
    const found = switchOf(exception)
    if (found !== undefined) return found
  }
  return undefined
}

function noteOf(cell: Cell): string | undefined {
  if (typeof cell === 'string') return undefined
  if (cell.when === 'break-glass') return 'only in an emergency, audited'
  if (cell.when === 'link only') return 'with a link to just this'
  const parts = [
    cell.note,
    cell.audited ? 'audited' : undefined,
    cell.billing ? 'billing user too' : undefined,
  ]
  const said = parts.filter((part) => part !== undefined).join('; ')
  return said === '' ? undefined : said
}
