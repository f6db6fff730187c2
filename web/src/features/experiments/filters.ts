import { type Filter, FilterOperator } from '@teamgrid/api'

/** What a filter looks like in the address bar and in words. Pure, both ways. */

type Op = Filter['op']

export const operatorWords: Record<Op, string> = {
  eq: 'is',
  ne: 'is not',
  gt: '>',
  gte: '≥',
  lt: '<',
  lte: '≤',
  contains: 'contains',
  regex: 'matches',
  in: 'is one of',
  exists: 'is set',
  missing: 'is not set',
}

export const needsValue = (op: Op): boolean => op !== 'exists' && op !== 'missing'

/**
 * Filters as one readable piece of text: `config.lr:gt:0.01~state:in:running,failed`. Numbers stand bare, text that would
 * read as something else is quoted as JSON; `~ : , % "` inside names and values are escaped.
 */
export function filtersToText(filters: readonly Filter[]): string {
  return filters
    .map(({ column, op, value }) => {
      const head = `${escape(column)}:${op}`
      if (!needsValue(op) || value === undefined) return head
      const values = Array.isArray(value) ? value : [value]
      return `${head}:${values.map((each) => escape(valueText(each))).join(',')}`
    })
    .join('~')
}

/** The reverse; pieces that cannot be read are left out, because an old link must still open. */
export function filtersFromText(text: string): Filter[] {
  return text.split('~').flatMap((piece): Filter[] => {
    const [column, operator, value] = piece.split(':')
    const op = FilterOperator.safeParse(operator)
    if (column === undefined || column === '' || !op.success) return []
    if (!needsValue(op.data)) return [{ column: unescape(column), op: op.data }]
    if (value === undefined) return []
    const values = value.split(',').map((each) => textValue(unescape(each)))
    if (op.data === 'in')
      return [
        {
          column: unescape(column),
          op: 'in',
          value: values.map((each) => (typeof each === 'boolean' ? String(each) : each)),
        },
      ]
    return [{ column: unescape(column), op: op.data, value: values[0]! }]
  })
}

/** What a person typed into a value box: a number if it reads as one, true or false, else text. Quotes force text. */
export function textValue(text: string): string | number | boolean {
  const trimmed = text.trim()
  if (trimmed === 'true') return true
  if (trimmed === 'false') return false
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(trimmed)) return Number(trimmed)
  if (/^".*"$/s.test(trimmed)) {
    try {
      return JSON.parse(trimmed) as string
    } catch {
      return text
    }
  }
  return text
}

/** The reverse of `textValue`. */
export function valueText(value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value)
  return typeof textValue(value) === 'string' && textValue(value) === value ? value : JSON.stringify(value)
}

/** `lr > 0.01`, for a chip. */
export function filterWords(filter: Filter): string {
  const value =
    filter.value === undefined
      ? ''
      : Array.isArray(filter.value)
        ? filter.value.join(', ')
        : String(filter.value)
  return `${columnWords(filter.column)} ${operatorWords[filter.op]}${needsValue(filter.op) ? ` ${value}` : ''}`
}

const builtIn: Record<string, string> = {
  name: 'Name',
  slug: 'Id',
  state: 'State',
  creator: 'Creator',
  created_at: 'Created',
  duration: 'Duration',
  heartbeat_at: 'Last sign of life',
  ended_at: 'Ended',
  group: 'Group',
  job_type: 'Job type',
  sweep: 'Sweep',
  tags: 'Tags',
  notes: 'Notes',
  host: 'Host',
  commit: 'Commit',
}

export const builtInColumns = Object.keys(builtIn)

/** `created_at` reads "Created", `config.optimiser.lr` reads "optimiser.lr". */
export function columnWords(column: string): string {
  return builtIn[column] ?? column.replace(/^(?:config|summary)\./, '')
}

export type Sort = { column: string; descending: boolean }

/** `-created_at` is descending. */
export function sortToText(sort: Sort): string {
  return (sort.descending ? '-' : '') + sort.column
}

export function sortFromText(text: string): Sort {
  return text.startsWith('-')
    ? { column: text.slice(1), descending: true }
    : { column: text, descending: false }
}

function escape(text: string): string {
  return text.replaceAll(/[~:,%]/g, (char) => `%${char.codePointAt(0)!.toString(16)}`)
}

function unescape(text: string): string {
  return text.replaceAll(/%(7e|3a|2c|25)/gi, (_, code: string) =>
    String.fromCodePoint(Number.parseInt(code, 16)),
  )
}
