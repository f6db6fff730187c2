/**
 * The client's filters and orders on runs, as conditions on our columns. The dialect is MongoDB's, as a JSON text:
 * `{"$and": [{"config.lr.value": {"$lt": 0.1}}, {"tags": "best"}]}`; orders are `-summary_metrics.acc`. Pure.
 */
import { GridError } from '@teamgrid/api'
import type { Condition } from '../experiments/types.ts'
import { isJsonObject, parseTolerantJson } from '../lib/tolerant-json.ts'

/** Deeper ones nobody writes; the metric store bounds the number of conditions. */
const depthMax = 20

/** Their names of a run's own fields, in the spellings of Python and of the web. */
const columns: Record<string, string> = {
  name: 'slug',
  displayName: 'name',
  display_name: 'name',
  state: 'state',
  group: 'group',
  groupName: 'group',
  group_name: 'group',
  jobType: 'job_type',
  job_type: 'job_type',
  username: 'creator',
  user: 'creator',
  'user.username': 'creator',
  host: 'host',
  commit: 'commit',
  notes: 'notes',
  duration: 'duration',
  runtime: 'duration',
  sweep: 'sweep',
  sweepName: 'sweep',
  sweep_name: 'sweep',
  tags: 'tags',
  createdAt: 'created_at',
  created_at: 'created_at',
  // A run that is alive reports, and whoever changes one that ended leaves its last report alone.
  heartbeatAt: 'heartbeat_at',
  heartbeat_at: 'heartbeat_at',
  updatedAt: 'heartbeat_at',
  updated_at: 'heartbeat_at',
}
const instants = new Set(['created_at', 'heartbeat_at', 'updated_at'])

const comparisons = { $gt: 'gt', $gte: 'gte', $lt: 'lt', $lte: 'lte' } as const

type Scalar = string | number | boolean

/**
 * @param text JSON; null, empty and `{}` mean all runs.
 * @returns undefined for all.
 * @throws GridError invalid with the part that is not understood.
 */
export function runCondition(text: string | null | undefined): Condition | undefined {
  return conditionIn(text, columnsOf)
}

/** Our columns for a key of theirs. @throws GridError invalid for a key that there is not. */
type ColumnsOf = (key: string) => [string, ...string[]]

/** The same dialect over whatever has columns. */
export function conditionIn(text: string | null | undefined, columnsOf: ColumnsOf): Condition | undefined {
  if (!text?.trim()) return undefined
  let filters: unknown
  try {
    filters = parseTolerantJson(text)
  } catch (cause) {
    throw new GridError('invalid', 'The filters are not JSON', { cause })
  }
  if (filters === null) return undefined
  if (!isJsonObject(filters)) throw new GridError('invalid', 'The filters are not a JSON object')
  return Object.keys(filters).length === 0 ? undefined : conjunction(filters, 0, columnsOf)
}

/** Several keys of one object must all hold. */
function conjunction(filters: Record<string, unknown>, depth: number, columnsOf: ColumnsOf): Condition {
  if (depth > depthMax) throw new GridError('invalid', `Filters may nest ${depthMax} deep at most`)
  return all(Object.entries(filters).map(([key, value]) => partOf(key, value, depth, columnsOf)))
}

function partOf(key: string, value: unknown, depth: number, columnsOf: ColumnsOf): Condition {
  switch (key) {
    case '$and':
      return all(listOf(key, value, depth, columnsOf))
    case '$or':
      return { op: 'or', conditions: listOf(key, value, depth, columnsOf) }
    case '$nor':
      return not({ op: 'or', conditions: listOf(key, value, depth, columnsOf) })
    case '$not':
      if (!isJsonObject(value)) throw new GridError('invalid', '$not takes a filter')
      return not(conjunction(value, depth + 1, columnsOf))
    default:
      if (key.startsWith('$')) throw new GridError('invalid', `There is no operator ${key.slice(0, 50)}`)
      return onKey(key, value, depth, columnsOf)
  }
}

function listOf(operator: string, value: unknown, depth: number, columnsOf: ColumnsOf): Condition[] {
  const parts = Array.isArray(value) ? value : [value]
  return parts.map((part) => {
    if (!isJsonObject(part)) throw new GridError('invalid', `${operator} takes a list of filters`)
    return conjunction(part, depth + 1, columnsOf)
  })
}

function onKey(key: string, value: unknown, depth: number, columnsOf: ColumnsOf): Condition {
  const isOperators = isJsonObject(value) && Object.keys(value).some((name) => name.startsWith('$'))
  const operators: Record<string, unknown> = isOperators ? value : { $eq: value }
  // One tag is a member of the list, however it is asked for.
  const [, tag] = /^tags\.(.+)$/s.exec(key) ?? []
  if (tag !== undefined) {
    return all(
      Object.values(operators).map((wanted) => {
        const has: Condition = { op: 'eq', column: 'tags', value: tag }
        return wanted === false || wanted === null ? not(has) : has
      }),
    )
  }
  const names = columnsOf(key)
  return all(
    Object.entries(operators).map(([operator, operand]) => {
      if (operator === '$options') return all([])
      // Said positively of any spelling of the key, and denied of all.
      const negated = { $ne: '$eq', $nin: '$in' }[operator]
      if (negated) return not(any(names.map((column) => leaf(column, negated, operand, operators))))
      if (operator === '$not') return not(onKey(key, operand, checkedDepth(depth), columnsOf))
      if (isAbsence(operator, operand)) return all(names.map((column) => ({ op: 'missing', column })))
      return any(names.map((column) => leaf(column, operator, operand, operators)))
    }),
  )
}

function checkedDepth(depth: number): number {
  if (depth > depthMax) throw new GridError('invalid', `Filters may nest ${depthMax} deep at most`)
  return depth + 1
}

/** `{"tags": null}` and `{"tags": []}` ask for runs without any. */
function isAbsence(operator: string, operand: unknown): boolean {
  return (operator === '$eq' && operand === null) || (operator === '$exists' && operand === false)
}

function leaf(
  column: string,
  operator: string,
  operand: unknown,
  operators: Record<string, unknown>,
): Condition {
  switch (operator) {
    case '$eq':
      if (operand === null || (column === 'tags' && Array.isArray(operand) && operand.length === 0))
        return { op: 'missing', column }
      if (column === 'tags' && Array.isArray(operand))
        return all(operand.map((each) => ({ op: 'eq', column, value: scalarOf(column, each) })))
      return { op: 'eq', column, value: scalarOf(column, operand) }
    case '$in':
      return any(
        (Array.isArray(operand) ? operand : [operand]).map((each) => leaf(column, '$eq', each, operators)),
      )
    case '$all':
      return all(
        (Array.isArray(operand) ? operand : [operand]).map((each) => leaf(column, '$eq', each, operators)),
      )
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
      // Nothing is before or after nothing.
      if (operand === null) return any([])
      return { op: comparisons[operator], column, value: scalarOf(column, operand) }
    case '$exists':
      return { op: operand === false ? 'missing' : 'exists', column }
    case '$regex': {
      const options = typeof operators.$options === 'string' ? operators.$options.replace(/[^ims]/g, '') : ''
      const expression = isJsonObject(operand) ? '' : String(operand)
      return { op: 'regex', column, value: options ? `(?${options})${expression}` : expression }
    }
    case '$contains':
      return { op: 'contains', column, value: String(operand) }
    default:
      throw new GridError('invalid', `There is no operator ${operator.slice(0, 50)}`)
  }
}

/** What one value can be; a list or a dictionary is compared as the text that is stored of it. */
function scalarOf(column: string, value: unknown): Scalar {
  if (instants.has(column) && typeof value === 'string') return instantOf(value)
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  return JSON.stringify(value)
}

/** Python prints instants without a zone and means UTC. */
function instantOf(text: string): number {
  const hasZone = /(?:Z|[+-]\d{2}:?\d{2})$/i.test(text)
  const isDay = /^\d{4}(?:-\d{2}){0,2}$/.test(text)
  const ms = Date.parse(hasZone || isDay ? text : `${text.replace(' ', 'T')}Z`)
  if (Number.isNaN(ms))
    throw new GridError('invalid', `"${text.slice(0, 50)}" is no date; write 2026-11-22T10:00:00Z`)
  return ms
}

/**
 * Our columns for a key; several where the key can be read in two ways: the client wraps the values of a config in
 * `{"value": …}`, which may be named in the key or left out, and a script may have a "value" of its own.
 */
function columnsOf(key: string): [string, ...string[]] {
  if (Object.hasOwn(columns, key)) return [columns[key]!]
  const [, section, path] =
    /^(config|summary_metrics|summary|keys_info\.keys|summaryMetrics)\.(.+)$/s.exec(key) ?? []
  switch (section) {
    case 'config': {
      const plain = path!.endsWith('.value')
        ? path!.slice(0, -'.value'.length)
        : path!.replace('.value.', '.')
      return plain === path ? [`config.${path}`] : [`config.${plain}`, `config.${path}`]
    }
    case undefined:
      throw new GridError('invalid', `Runs have no "${key.slice(0, 100)}" to filter or order by`, {
        hint: `There are ${Object.keys(columns).join(', ')}, config.<key> and summary_metrics.<key>.`,
      })
    default:
      return [`summary.${path}`]
  }
}

/** `-summary_metrics.acc,+name`: no sign means ascending. @throws GridError invalid for a key that runs do not have */
export function runSort(order: string | null | undefined): { column: string; descending: boolean }[] {
  return (order?.trim() || '+created_at')
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean)
    .map((part) => ({ column: columnsOf(part.replace(/^[+-]/, ''))[0], descending: part.startsWith('-') }))
}

const not = (condition: Condition): Condition => ({ op: 'not', condition })
const all = (conditions: Condition[]): Condition => ({ op: 'and', conditions })
const any = (conditions: Condition[]): Condition => ({ op: 'or', conditions })
