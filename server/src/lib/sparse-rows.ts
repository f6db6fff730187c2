/**
 * Any rows as a table: a column for every flattened key, empty where a row has none. What a column holds follows from
 * all of its values, so the rows are looked at twice: once for the columns, once for the cells.
 *
 * - numbers become INT64 when all are whole (and exact), else DOUBLE; NaN and infinities stay what they are;
 * - booleans BOOLEAN, texts STRING;
 * - everything else, and keys whose values are of several kinds, STRING with JSON.
 */
import { visitLeaves } from './flatten.ts'
import { parseJsonObject } from './tolerant-json.ts'

type Kind = 'INT64' | 'DOUBLE' | 'BOOLEAN' | 'STRING' | 'JSON'
export type SparseColumn = {
  name: string
  type: Exclude<Kind, 'JSON'>
  values: (number | bigint | boolean | string | null)[]
}

/** Where a row stands comes first in the table. */
const first = ['_step', '_runtime', '_timestamp']

/** The first look: which columns there are. */
export function createColumns() {
  const kinds = new Map<string, Kind>([['_step', 'INT64']])
  return {
    see(raw: string): void {
      leavesOf(raw, (name, value) => {
        const kind = kindOf(value)
        if (kind === undefined || name === '_step') return
        const known = kinds.get(name)
        if (known !== kind) kinds.set(name, known === undefined ? kind : common(known, kind))
      })
    },
    get count() {
      return kinds.size
    },
    /** The second look: cells of some rows after the other. */
    rows() {
      const names = [
        ...first.filter((name) => kinds.has(name)),
        ...[...kinds.keys()].filter((name) => !first.includes(name)),
      ]
      const columns = new Map<string, { kind: Kind; values: SparseColumn['values'] }>(
        names.map((name) => [name, { kind: kinds.get(name)!, values: [] }]),
      )
      let count = 0
      return {
        /** @param step where the row stands, whatever it says itself. */
        add(raw: string, step: number): void {
          for (const { values } of columns.values()) values.push(null)
          leavesOf(raw, (name, value) => {
            const column = columns.get(name)
            if (column && kindOf(value) !== undefined) column.values[count] = cellOf(column.kind, value)
          })
          columns.get('_step')!.values[count] = BigInt(step)
          count += 1
        },
        columns: (): SparseColumn[] =>
          [...columns].map(([name, { kind, values }]) => ({
            name,
            type: kind === 'JSON' ? 'STRING' : kind,
            values,
          })),
      }
    },
  }
}

function leavesOf(raw: string, visit: (name: string, value: unknown) => void): void {
  const row = parseJsonObject(raw)
  if (row) visitLeaves(row, visit)
}

/** @returns undefined for what is as good as not logged. */
function kindOf(value: unknown): Kind | undefined {
  if (value === null || value === undefined) return undefined
  if (typeof value === 'number')
    return Number.isSafeInteger(value) && !Object.is(value, -0) ? 'INT64' : 'DOUBLE'
  if (typeof value === 'boolean') return 'BOOLEAN'
  return typeof value === 'string' ? 'STRING' : 'JSON'
}

function common(one: Kind, other: Kind): Kind {
  const isNumber = (kind: Kind) => kind === 'INT64' || kind === 'DOUBLE'
  return isNumber(one) && isNumber(other) ? 'DOUBLE' : 'JSON'
}

function cellOf(kind: Kind, value: unknown): number | bigint | boolean | string {
  if (kind === 'INT64') return BigInt(value as number)
  if (kind !== 'JSON') return value as number | boolean | string
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'number' && !Number.isFinite(item) ? String(item) : item,
  )
}
