/**
 * Rows as CSV (RFC 4180). A cell that a spreadsheet would run as a formula is led by an apostrophe, because names come
 * from other people.
 */
export function csv(rows: readonly Record<string, unknown>[]): string {
  const keys = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const line = (cells: unknown[]) => `${cells.map(cell).join(',')}\r\n`
  return line(keys) + rows.map((row) => line(keys.map((key) => row[key]))).join('')
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  let text = typeof value === 'string' ? value : JSON.stringify(value)
  if (/^[=+\-@\t\r]/.test(text)) text = `'${text}`
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
