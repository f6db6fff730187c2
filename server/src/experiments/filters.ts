/** The table's search and filters as a question to the metric store's facts. Pure. */
import { GridError, type Filter } from '@teamgrid/api'
import { readExpression } from '../lib/regular-expression.ts'
import type { FactFilter } from '../stores/clickhouse/metric-types.ts'
import type { Condition } from './types.ts'

const searchedColumns = ['name', 'slug', 'tags', 'notes']
const instantColumns = new Set(['created_at', 'heartbeat_at', 'ended_at'])
const builtInColumns = new Set([
  'name',
  'slug',
  'state',
  'creator',
  'group',
  'job_type',
  'duration',
  'tags',
  'notes',
  'host',
  'commit',
  'sweep',
  ...instantColumns,
])

/** @throws GridError invalid for columns that cannot be. */
export function checkColumn(column: string): string {
  if (builtInColumns.has(column) || /^(?:config|summary)\../s.test(column)) return column
  throw new GridError(
    'invalid',
    `There is no column "${column.slice(0, 100)}": there are ${[...builtInColumns].join(', ')}, config.<key> and summary.<key>.`,
  )
}

export function isBuiltIn(column: string): boolean {
  return builtInColumns.has(column)
}

/**
 * @param search text in name, slug, tags or notes; `/…/` is a regular expression.
 * @returns null when everything matches.
 * @throws GridError invalid for values that fit no column.
 */
export function factFilterOf(
  search: string | undefined,
  filters: Filter[],
  condition?: Condition,
): FactFilter | null {
  const parts = filters.map((filter) => filterOf(filter))
  if (condition !== undefined) parts.push(conditionOf(condition))
  const searched = search?.trim()
  if (searched) parts.push(searchOf(searched))
  return parts.length === 0 ? null : { op: 'and', filters: parts }
}

function searchOf(search: string): FactFilter {
  const expression = /^\/(.+)\/$/s.exec(search)?.[1]
  return {
    op: 'or',
    filters: searchedColumns.map((key) =>
      expression === undefined
        ? { op: 'contains', key, value: search }
        : { op: 'regex', key, value: readExpression(expression).re2 },
    ),
  }
}

/** Values of a condition are typed: the text "1" is not the number. */
function conditionOf(condition: Condition): FactFilter {
  switch (condition.op) {
    case 'and':
    case 'or':
      return { op: condition.op, filters: condition.conditions.map(conditionOf) }
    case 'not':
      return { op: 'not', filter: conditionOf(condition.condition) }
    default:
      return filterOf(condition, { typed: true })
  }
}

function filterOf(filter: Filter, { typed = false } = {}): FactFilter {
  const key = checkColumn(filter.column)
  if (filter.op === 'exists' || filter.op === 'missing')
    return { op: 'exists', key, exists: filter.op === 'exists' }
  const { value } = filter
  if (value === undefined) throw new GridError('invalid', `The filter on ${key} has no value.`)
  switch (filter.op) {
    case 'eq':
      return equals(key, single(key, value), typed)
    case 'ne':
      // What lacks the key is different too.
      return { op: 'not', filter: equals(key, single(key, value), typed) }
    case 'in': {
      const values = Array.isArray(value) ? value : [single(key, value)]
      return { op: 'or', filters: values.map((each) => equals(key, each, typed)) }
    }
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return { op: filter.op, key, value: ordered(key, single(key, value), typed) }
    case 'contains':
      return { op: 'contains', key, value: String(single(key, value)) }
    case 'regex':
      return { op: 'regex', key, value: readExpression(String(single(key, value))).re2 }
  }
  return filter.op satisfies never
}

type Scalar = string | number | boolean

function single(key: string, value: Scalar | (string | number)[]): Scalar {
  if (Array.isArray(value))
    throw new GridError('invalid', `The filter on ${key} takes one value and not a list.`)
  return value
}

/** A tag is one of several; `0.1` typed into a field means the number and the text alike. */
function equals(key: string, value: Scalar, typed: boolean): FactFilter {
  if (key === 'tags') return { op: 'exists', key: `tags.${value}`, exists: true }
  if (typeof value === 'number') return { op: 'eq', key, value }
  if (typeof value === 'boolean') return { op: 'eq', key, value: String(value) }
  if (instantColumns.has(key)) return { op: 'eq', key, value: ordered(key, value, typed) }
  const number = typed ? undefined : numberIn(value)
  const asText: FactFilter = { op: 'eq', key, value }
  return number === undefined ? asText : { op: 'or', filters: [asText, { op: 'eq', key, value: number }] }
}

function ordered(key: string, value: Scalar, typed: boolean): number | string {
  if (typeof value === 'number') return value
  if (typeof value === 'boolean') return value ? 1 : 0
  if (!instantColumns.has(key)) return (typed ? undefined : numberIn(value)) ?? value
  const instant = numberIn(value) ?? Date.parse(value)
  if (Number.isNaN(instant))
    throw new GridError('invalid', `"${value}" is no date; write 2026-11-22 or 2026-11-22T10:00Z.`)
  return instant
}

function numberIn(text: string): number | undefined {
  const number = text.trim() === '' ? NaN : Number(text)
  return Number.isFinite(number) ? number : undefined
}
