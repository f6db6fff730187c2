/**
 * The filters and orders by which collections and versions are found: the small language of nested conditions that
 * clients send, as SQL. Every value goes in as a parameter and every name must be known, so nothing of a filter is
 * ever read as SQL.
 */
import { GridError } from '@teamgrid/api'
import { type RawBuilder, sql } from 'kysely'
import { readExpression } from '../lib/regular-expression.ts'

/** Parsed JSON such as `{"$and": [{"tags": "good"}, {"createdAt": {"$gt": "2026-01-01"}}]}`. */
export type Filter = Record<string, unknown>
export type Order = { field: string; ascending: boolean }

type Sql = RawBuilder<boolean>
type Field =
  | { is: 'text' | 'number' | 'time'; sql: RawBuilder<unknown> }
  /** Any of several texts. */
  | { is: 'list'; sql: RawBuilder<unknown> }
  /** An object whose values are named by a path behind the field's name. */
  | { is: 'json'; sql: RawBuilder<unknown> }

export type Fields = Record<string, Field>

const text = (value: RawBuilder<unknown>): Field => ({ is: 'text', sql: value })
const number = (value: RawBuilder<unknown>): Field => ({ is: 'number', sql: value })
const time = (value: RawBuilder<unknown>): Field => ({ is: 'time', sql: value })
const list = (value: RawBuilder<unknown>): Field => ({ is: 'list', sql: value })

/** Of versions; the query calls them `a`. */
export const versionFields: Fields = aVersion(sql`a.version_index`, sql`a.collection_id`)

/** Of links, `l` beside `a`: number and aliases are those in the collection of links. */
export const linkFields: Fields = {
  ...aVersion(sql`l.version_index`, sql`l.collection_id`),
  acm_created_at: time(sql`l.created_at`),
  linked_at: time(sql`l.created_at`),
}

function aVersion(index: RawBuilder<unknown>, collection: RawBuilder<unknown>): Fields {
  const aliases = sql`array(select alias from artifact_aliases al
    where al.artifact_id = a.id and al.collection_id = ${collection})`
  const fields: Fields = {
    id: text(sql`a.id::text`),
    artifact_id: text(sql`a.id::text`),
    state: text(sql`upper(a.state)`),
    digest: text(sql`a.digest`),
    description: text(sql`a.description`),
    version: text(sql`'v' || ${index}`),
    version_index: number(index),
    size: number(sql`a.size_bytes`),
    artifact_size: number(sql`a.size_bytes`),
    file_count: number(sql`a.file_count`),
    history_step: number(sql`a.history_step`),
    tag: list(sql`a.tags`),
    tags: list(sql`a.tags`),
    alias: list(aliases),
    aliases: list(aliases),
    metadata: { is: 'json', sql: sql`a.metadata` },
    artifact_metadata: { is: 'json', sql: sql`a.metadata` },
    created_at: time(sql`a.created_at`),
    artifact_created_at: time(sql`a.created_at`),
    updated_at: time(sql`coalesce(a.committed_at, a.created_at)`),
  }
  return fields
}

/** Of collections; the query calls them `c`. */
export const collectionFields: Fields = {
  id: text(sql`c.id::text`),
  artifact_collection_id: text(sql`c.id::text`),
  name: text(sql`c.name`),
  type: text(sql`c.type`),
  description: text(sql`c.description`),
  tag: list(sql`c.tags`),
  tags: list(sql`c.tags`),
  created_at: time(sql`c.created_at`),
  updated_at: time(sql`c.updated_at`),
  // Asked for unasked by clients; whatever is listed is ready.
  state: text(sql`'READY'`),
}

/** Of registries; the query calls them `p`. */
export const registryFields: Fields = {
  // Clients name a project by its number.
  id: number(sql`p.number`),
  project_id: number(sql`p.number`),
  name: text(sql`p.name`),
  entity_id: text(sql`p.team_id::text`),
  description: text(sql`p.description`),
  created_at: time(sql`p.created_at`),
  updated_at: time(sql`p.updated_at`),
}

const depthMax = 20
const conditionsMax = 500

/** @throws GridError invalid, with the name or operator that is not known. */
export function whereOf(filter: Filter, fields: Fields): Sql {
  let conditions = 0
  const all = (parts: Sql[]): Sql => (parts.length === 0 ? sql`true` : sql`(${sql.join(parts, sql` and `)})`)
  const any = (parts: Sql[]): Sql => (parts.length === 0 ? sql`false` : sql`(${sql.join(parts, sql` or `)})`)

  function ofObject(given: unknown, depth: number): Sql {
    if (!isObject(given) || depth > depthMax) throw refused('A filter is an object of names and conditions.')
    return all(Object.entries(given).map(([name, condition]) => ofEntry(name, condition, depth)))
  }

  function ofEntry(name: string, condition: unknown, depth: number): Sql {
    if (++conditions > conditionsMax) throw refused(`A filter has at most ${conditionsMax} conditions.`)
    if (name === '$and' || name === '$or' || name === '$nor') {
      if (!Array.isArray(condition)) throw refused(`${name} takes a list.`)
      const parts = condition.map((each) => ofObject(each, depth + 1))
      if (name === '$and') return all(parts)
      return name === '$or' ? any(parts) : sql`not ${any(parts)}`
    }
    if (name === '$not') return sql`not ${ofObject(condition, depth + 1)}`
    return ofCondition(fieldOf(name, fields), condition, depth)
  }

  function ofCondition(field: Found, condition: unknown, depth: number): Sql {
    if (depth > depthMax) throw refused('The filter nests too deeply.')
    if (!isObject(condition) || !Object.keys(condition).some((key) => key.startsWith('$'))) {
      return compare(field, '$eq', condition)
    }
    return all(
      Object.entries(condition).map(([operator, operand]) => {
        if (++conditions > conditionsMax) throw refused(`A filter has at most ${conditionsMax} conditions.`)
        if (operator === '$not') return sql`not ${ofCondition(field, operand, depth + 1)}`
        if (operator === '$and' || operator === '$or') {
          if (!Array.isArray(operand)) throw refused(`${operator} takes a list.`)
          const parts = operand.map((each) => ofCondition(field, each, depth + 1))
          return operator === '$and' ? all(parts) : any(parts)
        }
        if (operator === '$options') return sql<boolean>`true`
        if (operator === '$regex' && typeof condition['$options'] === 'string')
          return compare(field, operator, withFlags(operand, condition['$options']))
        return compare(field, operator, operand)
      }),
    )
  }
  return ofObject(filter, 0)
}

/** Nothing comes last in either direction. @throws GridError invalid */
export function orderOf({ field, ascending }: Order, fields: Fields): RawBuilder<unknown> {
  const found = fieldOf(field, fields)
  if (found.is === 'list' || found.is === 'json') throw refused(`Nothing is sorted by ${field}.`)
  return ascending ? sql`${found.sql} asc nulls last` : sql`${found.sql} desc nulls last`
}

/** `+name`, `-created_at` or, ascending, `name`. @throws GridError invalid */
export function readOrder(order: string): Order {
  const [, sign, field] = /^([+-]?)([\w.]{1,100})$/.exec(order) ?? []
  if (field === undefined) throw refused(`Nothing is sorted by ${JSON.stringify(order.slice(0, 60))}.`)
  return { field, ascending: sign !== '-' }
}

type Found = Field | { is: 'value'; sql: RawBuilder<unknown> }

/** Both spellings of a name are known: `createdAt` and `created_at`. */
function fieldOf(name: string, fields: Fields): Found {
  const [head = '', ...path] = name.split('.')
  const field = fields[head.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)]
  if (field?.is === 'json' && path.length > 0 && path.length <= 20) {
    return { is: 'value', sql: sql`${field.sql} #> ${path}::text[]` }
  }
  if (field && field.is !== 'json' && path.length === 0) return field
  // `tags.good` occurs: it means that the tag is there.
  if (field?.is === 'list' && path.length > 0) {
    return { is: 'value', sql: sql`case when ${path.join('.')} = any(${field.sql}) then 'true'::jsonb end` }
  }
  const known = Object.keys(fields).join(', ')
  throw refused(`Filters know no "${name.slice(0, 60)}"; they know ${known}.`)
}

const operators = { $gt: sql`>`, $gte: sql`>=`, $lt: sql`<`, $lte: sql`<=` } as const

function compare(field: Found, operator: string, operand: unknown): Sql {
  switch (operator) {
    case '$eq':
      return operand === null ? isNothing(field) : equals(field, operand)
    case '$ne':
      return sql`not coalesce(${compare(field, '$eq', operand)}, false)`
    case '$in':
    case '$nin': {
      if (!Array.isArray(operand) || operand.length > 1000) throw refused(`${operator} takes a list.`)
      const parts = operand.map((each) => compare(field, '$eq', each))
      const any = parts.length === 0 ? sql<boolean>`false` : sql<boolean>`(${sql.join(parts, sql` or `)})`
      return operator === '$in' ? any : sql`not coalesce(${any}, false)`
    }
    case '$exists':
      return operand ? sql`not ${isNothing(field)}` : isNothing(field)
    case '$contains':
      return field.is === 'text'
        ? sql`strpos(lower(${field.sql}), lower(${String(operand)})) > 0`
        : equals(field, operand)
    case '$regex':
      if (typeof operand !== 'string') throw refused('$regex takes a pattern.')
      return matches(field, operand)
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
      return ordered(field, operators[operator], operand)
    default:
      throw refused(`Filters know no operator "${operator.slice(0, 30)}".`)
  }
}

/** `$options` stands beside its expression; flags in front of it mean the same. */
function withFlags(pattern: unknown, options: string): unknown {
  const flags = options.replaceAll(/[^ims]/g, '')
  return typeof pattern === 'string' && flags !== '' ? `(?${flags})${pattern}` : pattern
}

function isNothing(field: Found): Sql {
  if (field.is === 'list') return sql`coalesce(cardinality(${field.sql}), 0) = 0`
  return sql`${field.sql} is null`
}

/** A value of another type is simply not equal. */
function equals(field: Found, operand: unknown): Sql {
  switch (field.is) {
    case 'list':
      return sql`${String(operand)} = any(${field.sql})`
    case 'value':
      return sql`${field.sql} = ${JSON.stringify(operand)}::jsonb`
    case 'number':
      return isNumber(operand) ? sql`${field.sql} = ${Number(operand)}::float8` : sql`false`
    case 'time':
      return sql`${field.sql} = ${instantOf(operand)}::timestamptz`
    case 'text':
      return sql`${field.sql} = ${String(operand)}`
    default:
      throw refused('Name a value inside the object.')
  }
}

function ordered(field: Found, sign: RawBuilder<unknown>, operand: unknown): Sql {
  switch (field.is) {
    case 'number':
      return isNumber(operand) ? sql`${field.sql} ${sign} ${Number(operand)}::float8` : sql`false`
    case 'time':
      return sql`${field.sql} ${sign} ${instantOf(operand)}::timestamptz`
    case 'text':
      return sql`${field.sql} ${sign} ${String(operand)}`
    case 'value': {
      // Only values of one kind have an order among them.
      const kind = typeof operand
      return sql`(jsonb_typeof(${field.sql}) = ${kind} and ${field.sql} ${sign} ${JSON.stringify(operand)}::jsonb)`
    }
    default:
      throw refused('A list is not more or less than something.')
  }
}

function matches(field: Found, pattern: string): Sql {
  const { postgres } = readExpression(pattern)
  if (field.is === 'list') {
    return sql`exists (select 1 from unnest(${field.sql}) as item where item ~ ${postgres})`
  }
  if (field.is === 'value') return sql`(${field.sql} #>> '{}') ~ ${postgres}`
  return sql`(${field.sql})::text ~ ${postgres}`
}

function isNumber(operand: unknown): boolean {
  return (
    typeof operand === 'number' ||
    (typeof operand === 'string' && operand !== '' && Number.isFinite(Number(operand)))
  )
}

function instantOf(operand: unknown): string {
  const instant = new Date(operand as string)
  if ((typeof operand === 'string' || typeof operand === 'number') && !Number.isNaN(instant.getTime()))
    return instant.toISOString()
  throw refused(`${JSON.stringify(operand)} is not an instant such as 2026-01-31T12:00:00Z.`)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const refused = (sentence: string) => new GridError('invalid', sentence)
