/** Conditions on sweeps as SQL over the columns of store.ts. */
import { GridError } from '@teamgrid/api'
import { type RawBuilder, sql } from 'kysely'
import type { Condition } from '../experiments/types.ts'

type Column = { sql: RawBuilder<unknown>; type: 'text' | 'instant' }

const text = (expression: RawBuilder<unknown>): Column => ({ sql: expression, type: 'text' })
const instant = (expression: RawBuilder<unknown>): Column => ({ sql: expression, type: 'instant' })

const columns: Record<string, Column> = {
  slug: text(sql`s.slug`),
  name: text(sql`s.name`),
  description: text(sql`s.description`),
  state: text(sql`s.state`),
  method: text(sql`s.config->>'method'`),
  creator: text(sql`c.username`),
  created_at: instant(sql`s.created_at`),
  updated_at: instant(sql`s.updated_at`),
  heartbeat_at: instant(sql`s.heartbeat_at`),
}
const comparisons: Record<string, RawBuilder<unknown>> = {
  eq: sql`=`,
  gt: sql`>`,
  gte: sql`>=`,
  lt: sql`<`,
  lte: sql`<=`,
}
const expressionLengthMax = 500

/** Whether it holds, never null. @throws GridError invalid for what sweeps do not have or cannot be compared with. */
export function whereOf(condition: Condition): RawBuilder<unknown> {
  switch (condition.op) {
    case 'and':
    case 'or': {
      const parts = condition.conditions.map(whereOf)
      if (parts.length === 0) return condition.op === 'and' ? sql`true` : sql`false`
      return sql`(${sql.join(parts, condition.op === 'and' ? sql` and ` : sql` or `)})`
    }
    case 'not':
      return sql`(not ${whereOf(condition.condition)})`
    default:
      return sql`coalesce(${leaf(condition)}, false)`
  }
}

function leaf({ column: name, op, value }: Extract<Condition, { column: string }>): RawBuilder<unknown> {
  const column = Object.hasOwn(columns, name) ? columns[name]! : undefined
  if (!column) throw new GridError('invalid', `Sweeps have no "${name}" to filter by.`)
  switch (op) {
    case 'exists':
      return sql`${column.sql} is not null`
    case 'missing':
      return sql`${column.sql} is null`
    case 'contains':
      return sql`position(lower(${String(value)}::text) in lower(${column.sql}::text)) > 0`
    case 'regex':
      return sql`${column.sql}::text ~ ${checkedExpression(String(value))}::text`
    default: {
      const operator = comparisons[op]
      if (!operator) throw new GridError('invalid', `Sweeps cannot be filtered by ${op}.`)
      return sql`${column.sql} ${operator} ${operandOf(column, name, value)}`
    }
  }
}

function operandOf({ type }: Column, name: string, value: unknown): RawBuilder<unknown> {
  if (type === 'text') return sql`${String(value)}::text`
  if (typeof value !== 'number' || !Number.isFinite(new Date(value).getTime()))
    throw new GridError('invalid', `${name} is an instant; compare it with one such as 2026-11-22T10:00:00Z.`)
  return sql`${new Date(value)}::timestamptz`
}

/** Without references back Postgres matches in linear time. Whether it is an expression at all only Postgres knows. */
function checkedExpression(expression: string): string {
  if (expression.length > expressionLengthMax || /\\[1-9]/.test(expression))
    throw new GridError(
      'invalid',
      `A regular expression may have ${expressionLengthMax} characters and no references back.`,
    )
  return expression
}

/** @throws GridError invalid, if Postgres could not read an expression; anything else as it is. */
export function toldOfExpression(error: unknown): never {
  if (error instanceof Error && 'code' in error && error.code === '2201B')
    throw new GridError('invalid', 'The filters have a regular expression that cannot be read.', {
      cause: error,
    })
  throw error
}
