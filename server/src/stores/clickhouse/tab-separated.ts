/**
 * Rows as ClickHouse's TabSeparated text, the one input format that both engines take safely (see `open.ts`).
 * Numbers survive exactly, NaN, ±Infinity and −0 included.
 */

const special = /[\\\t\n\r\0\b\f']/
const everySpecial = /[\\\t\n\r\0\b\f']/g
const escapes: Record<string, string> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
  '\0': '\\0',
  '\b': '\\b',
  '\f': '\\f',
  "'": "\\'",
}

/** A text as a field. The same escapes hold between quotes, inside an array. */
export function textField(text: string): string {
  return special.test(text) ? text.replace(everySpecial, (character) => escapes[character]!) : text
}

export function numberField(value: number): string {
  return value === 0 && Object.is(value, -0) ? '-0' : String(value)
}

/** `\N` is how the format writes "nothing". */
export function nullable(field: string | null): string {
  return field ?? '\\N'
}

/** The bits of the numbers, little end first, as base64: exact, and much cheaper than decimal text at both ends. */
export function packedNumbersField(values: readonly number[]): string {
  const bytes = Buffer.allocUnsafe(values.length * 8)
  for (let index = 0; index < values.length; index++) bytes.writeDoubleLE(values[index]!, index * 8)
  return bytes.toString('base64')
}

export function textArrayField(texts: readonly string[]): string {
  let field = ''
  for (const text of texts) field += field === '' ? `'${textField(text)}'` : `,'${textField(text)}'`
  return `[${field}]`
}
