/** Finding experiments by their facts: the filter language as SQL over the narrow `facts` table. */
import { GridError } from '@teamgrid/api'
import type { FactFilter, FactQuery, MetricStore } from './metric-types.ts'
import { type Ask, type Bind, createBinder } from './metric-query.ts'

/** More than anyone writes by hand; keeps a statement inside the engine's limits. */
const conditionsMax = 200

export function createFinder(ask: Ask): Pick<MetricStore, 'find' | 'factKeys'> {
  return {
    async find(query) {
      if (query.projectIds.length === 0) return { experimentIds: [], total: 0 }
      const { bind, params } = createBinder()
      const columns = createColumns(bind)
      const where = query.filter === null ? '1' : condition(query.filter, columns.of, bind)
      const order = query.sort.flatMap(({ key, descending }) => {
        const column = columns.of(key)
        const direction = descending ? 'DESC' : 'ASC'
        return [
          `${column.missing} ASC`,
          `${column.number} ${direction} NULLS LAST`,
          `${column.text} ${direction} NULLS LAST`,
        ]
      })
      const matching = `SELECT experiment${columns.selected()} FROM
        (
          SELECT key, experiment, number, text FROM facts FINAL
          WHERE project IN ${bind(query.projectIds, 'Array(UUID)')} AND key IN ${bind(['', ...columns.keys()], 'Array(String)')}
            AND removed = 0
        )
        GROUP BY experiment HAVING ${where}`
      const offset = bind(checked(query.offset), 'UInt64')
      const limit = checked(query.limit)
      // The engine keeps only a page while it sorts; a list of all ids, cut afterwards, took three times as long. Bytes of
      // the id, for the engine has an order of its own for UUIDs.
      const rows =
        limit === 0
          ? []
          : await ask<[string, number]>(
              `SELECT toString(experiment), count() OVER () FROM (${matching})
               ORDER BY ${[...order, 'UUIDToNum(experiment) DESC'].join(', ')}
               LIMIT ${bind(limit, 'UInt64')} OFFSET ${offset}`,
              params,
            )
      const [first] = rows
      if (first !== undefined) return { experimentIds: rows.map(([id]) => id), total: first[1] }
      // A page behind the last one has no row that could tell how many there are.
      if (limit > 0 && query.offset === 0) return { experimentIds: [], total: 0 }
      const [counted] = await ask<[number]>(`SELECT count() FROM (${matching})`, params)
      return { experimentIds: [], total: counted?.[0] ?? 0 }
    },

    async factKeys({ projectIds, search, limit }) {
      if (projectIds.length === 0) return []
      const { bind, params } = createBinder()
      const searched =
        search === undefined || search === ''
          ? ''
          : `AND positionCaseInsensitiveUTF8(key, ${bind(search, 'String')}) > 0`
      const rows = await ask<[string, number, number]>(
        `SELECT toString(key) AS name, count() AS experiments, countIf(number IS NOT NULL) * 2 >= count()
         FROM facts FINAL
         WHERE project IN ${bind(projectIds, 'Array(UUID)')} AND key != '' ${searched} AND removed = 0
         GROUP BY key ORDER BY experiments DESC, name LIMIT ${bind(checked(limit), 'UInt64')}`,
        params,
      )
      return rows.map(([key, experiments, numeric]) => ({ key, experiments, numeric: numeric === 1 }))
    },
  }
}

type Column = { number: string; text: string; missing: string }

/** Each key that the question names becomes two columns: its number and its text. */
function createColumns(bind: Bind): {
  of: (key: string) => Column
  keys: () => string[]
  selected: () => string
} {
  const columns = new Map<string, Column>()
  const selected: string[] = []
  return {
    of(key) {
      const known = columns.get(key)
      if (known !== undefined) return known
      const index = columns.size
      const isKey = `key = ${bind(key, 'String')}`
      selected.push(`anyIf(number, ${isKey}) AS n${index}`, `anyIf(text, ${isKey}) AS t${index}`)
      const column = {
        number: `n${index}`,
        text: `t${index}`,
        missing: `(n${index} IS NULL AND t${index} IS NULL)`,
      }
      columns.set(key, column)
      return column
    },
    keys: () => [...columns.keys()],
    selected: () => selected.map((column) => `, ${column}`).join(''),
  }
}

const comparisons = { eq: '=', gt: '>', gte: '>=', lt: '<', lte: '<=' } as const

/** @returns an SQL expression that is 0 or 1, never NULL. */
function condition(filter: FactFilter, columnOf: (key: string) => Column, bind: Bind): string {
  let count = 0
  return translate(filter)

  function translate(part: FactFilter): string {
    if (++count > conditionsMax)
      throw new GridError('invalid', `A filter may have ${conditionsMax} conditions at most.`)
    switch (part.op) {
      case 'and':
        return part.filters.length === 0 ? '1' : `(${part.filters.map(translate).join(' AND ')})`
      case 'or':
        return part.filters.length === 0 ? '0' : `(${part.filters.map(translate).join(' OR ')})`
      case 'not':
        return `NOT ${translate(part.filter)}`
      case 'eq':
      case 'gt':
      case 'gte':
      case 'lt':
      case 'lte':
        return compare(columnOf(part.key), comparisons[part.op], part.value)
      case 'ne':
        return `NOT ${compare(columnOf(part.key), '=', part.value)}`
      case 'in':
        return among(columnOf(part.key), part.values)
      case 'nin':
        return `NOT ${among(columnOf(part.key), part.values)}`
      case 'exists': {
        const { missing } = columnOf(part.key)
        return part.exists ? `NOT ${missing}` : missing
      }
      case 'regex': {
        const pattern = bind(part.value, 'String')
        // The first part is constant, so a pattern that is none is refused also when there is nothing to match.
        return `((match('', ${pattern}) OR 1) AND ifNull(match(${textForm(columnOf(part.key))}, ${pattern}), 0))`
      }
      case 'contains':
        return `ifNull(positionCaseInsensitiveUTF8(${textForm(columnOf(part.key))}, ${bind(part.value, 'String')}) > 0, 0)`
      default:
        throw new GridError('invalid', `Unknown filter ${JSON.stringify(part satisfies never)}.`)
    }
  }

  function compare(column: Column, operator: string, value: number | string): string {
    return typeof value === 'number'
      ? `ifNull(${column.number} ${operator} ${bind(value, 'Float64')}, 0)`
      : `ifNull(${column.text} ${operator} ${bind(value, 'String')}, 0)`
  }

  function among(column: Column, values: (number | string)[]): string {
    const numbers = values.filter((value) => typeof value === 'number')
    const texts = values.filter((value) => typeof value === 'string')
    const parts = [
      ...(numbers.length === 0 ? [] : [`ifNull(${column.number} IN ${bind(numbers, 'Array(Float64)')}, 0)`]),
      ...(texts.length === 0 ? [] : [`ifNull(${column.text} IN ${bind(texts, 'Array(String)')}, 0)`]),
    ]
    return parts.length === 0 ? '0' : `(${parts.join(' OR ')})`
  }
}

function textForm({ number, text }: Column): string {
  return `coalesce(${text}, toString(${number}))`
}

function checked(count: FactQuery['offset']): number {
  if (!Number.isInteger(count) || count < 0) throw new GridError('invalid', `${count} is no count.`)
  return count
}
