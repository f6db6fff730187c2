/**
 * Rows that all have the same keys, each with values of one plain type, gathered into columns. What does not fit is said
 * so: a table with holes, or with numbers where there were texts, would not read back as what was logged.
 */
import { isJsonObject, parseJsonObject } from './tolerant-json.ts'

export type Column =
  | { name: string; type: 'DOUBLE' | 'INT64'; values: number[] }
  | { name: string; type: 'BOOLEAN'; values: boolean[] }
  | { name: string; type: 'STRING'; values: string[] }

type Kind = 'number' | 'boolean' | 'string'

/** @returns a place to put JSON rows; `add` is false from the first row on that does not fit. */
export function createUniformRows(): { add: (raw: string) => boolean; columns: () => Column[] } {
  const columns = new Map<string, { kind: Kind; values: unknown[] }>()
  let rows = 0
  let fits = true

  function put(raw: string): boolean {
    const row = parseJsonObject(raw)
    if (!isJsonObject(row)) return false
    const names = Object.keys(row)
    if (rows > 0 && names.length !== columns.size) return false
    for (const name of names) {
      const value = row[name]
      const kind = kindOf(value)
      if (kind === undefined) return false
      if (rows === 0) columns.set(name, { kind, values: [] })
      const column = columns.get(name)
      if (column?.kind !== kind) return false
      column.values.push(value)
    }
    rows += 1
    return true
  }

  return {
    add: (raw) => (fits &&= put(raw)),
    columns: () =>
      [...columns].map(([name, { kind, values }]) => {
        if (kind === 'boolean') return { name, type: 'BOOLEAN', values: values as boolean[] }
        if (kind === 'string') return { name, type: 'STRING', values: values as string[] }
        const numbers = values as number[]
        return { name, type: numbers.every(isWhole) ? 'INT64' : 'DOUBLE', values: numbers }
      }),
  }
}

function kindOf(value: unknown): Kind | undefined {
  if (typeof value === 'boolean' || typeof value === 'string') return typeof value as Kind
  if (typeof value !== 'number') return undefined
  // Larger whole numbers have lost digits on their way through a float.
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? undefined : 'number'
}

function isWhole(value: number): boolean {
  return Number.isInteger(value) && !Object.is(value, -0)
}
