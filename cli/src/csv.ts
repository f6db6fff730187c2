import { csvLine } from '@teamgrid/api'

/** Rows as CSV, with a first line of all their keys. */
export function csv(rows: readonly Record<string, unknown>[]): string {
  const keys = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  return csvLine(keys) + rows.map((row) => csvLine(keys.map((key) => row[key]))).join('')
}
