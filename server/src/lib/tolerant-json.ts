/**
 * JSON as Python and Go machine-learning programs write it: `NaN`, `Infinity` and `-Infinity` may stand bare where a
 * number may stand. Inside strings they are text and stay so.
 */

/** Deeper than anybody logs on purpose; shallow enough that no recursion over a value can exhaust the stack. */
export const nestingMax = 200

/**
 * Parses JSON that may hold bare `NaN`, `Infinity` and `-Infinity`. Proper JSON takes the engine's own fast path.
 *
 * @returns what `JSON.parse` would, with NaN and ±Infinity as numbers.
 * @throws SyntaxError when it is not JSON, or nests deeper than `nestingMax`.
 */
export function parseTolerantJson(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    // A text without either word is simply broken; no need to walk through it.
    if (!text.includes('NaN') && !text.includes('Infinity')) throw error
    return parseSlowly(text)
  }
  if (hasManyBrackets(text) && isNestedDeeper(value, nestingMax))
    throw new SyntaxError(`JSON nests deeper than ${nestingMax} levels`)
  return value
}

/** `parseTolerantJson` of an object; undefined for everything else, broken JSON included. */
export function parseJsonObject(text: string): Record<string, unknown> | undefined {
  try {
    const value = parseTolerantJson(text)
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * JSON text that every reader takes, Postgres' `jsonb` among them: non-finite numbers become the strings "NaN",
 * "Infinity" and "-Infinity"; NUL characters are left out and lone surrogates replaced (jsonb refuses both).
 */
export function toStrictJson(value: unknown): string {
  const text = JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'number' && !Number.isFinite(item) ? String(item) : item,
  )
  if (text === undefined) return 'null'
  // JSON.stringify writes exactly these characters as \uXXXX escapes; escaped text `\\ud800` only costs the slow path.
  return /\\u(?:0000|d[89a-f])/.test(text) ? JSON.stringify(withoutUnstorable(JSON.parse(text))) : text
}

/** The text without NUL characters and lone surrogates, neither of which Postgres stores. */
export function storableText(text: string): string {
  return (text.includes('\0') ? text.replaceAll('\0', '') : text).toWellFormed()
}

function withoutUnstorable(value: unknown): unknown {
  if (typeof value === 'string') return storableText(value)
  if (Array.isArray(value)) return value.map(withoutUnstorable)
  if (!isJsonObject(value)) return value
  // fromEntries defines properties, so a key `__proto__` stays a key.
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [storableText(key), withoutUnstorable(item)]),
  )
}

/** Nearly every line has few, which is quicker to see than how deep it is. */
function hasManyBrackets(text: string): boolean {
  let count = 0
  for (const bracket of ['{', '['])
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1))
      if (++count > nestingMax) return true
  return false
}

/** Breadth first, so that the check itself cannot exhaust the stack. */
function isNestedDeeper(value: unknown, levels: number): boolean {
  let layer: unknown[] = [value]
  for (let depth = 0; layer.length > 0; depth++) {
    if (depth > levels) return true
    const below: unknown[] = []
    for (const item of layer) {
      if (typeof item !== 'object' || item === null) continue
      for (const child of Object.values(item))
        if (typeof child === 'object' && child !== null) below.push(child)
    }
    layer = below
  }
  return false
}

const numberToken = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const bareWords: readonly (readonly [string, unknown])[] = [
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
  ['null', null],
  ['true', true],
  ['false', false],
]

/** A plain recursive-descent parser. Source of the grammar: RFC 8259. */
function parseSlowly(text: string): unknown {
  let position = 0

  const fail = (): never => {
    throw new SyntaxError(`Not JSON at position ${position}`)
  }
  const skipSpace = (): void => {
    for (;;) {
      const code = text.charCodeAt(position)
      if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return
      position++
    }
  }
  const readString = (): string => {
    const start = position++
    for (;;) {
      const end = text.indexOf('"', position)
      if (end === -1) return fail()
      let backslashes = 0
      while (text[end - 1 - backslashes] === '\\') backslashes++
      position = end + 1
      // The engine decodes escapes and refuses control characters.
      if (backslashes % 2 === 0) return JSON.parse(text.slice(start, position)) as string
    }
  }
  const readArray = (depth: number): unknown[] => {
    position++
    const items: unknown[] = []
    skipSpace()
    if (text[position] === ']') return (position++, items)
    for (;;) {
      items.push(readValue(depth))
      skipSpace()
      const next = text[position++]
      if (next === ']') return items
      if (next !== ',') return fail()
    }
  }
  const readObject = (depth: number): Record<string, unknown> => {
    position++
    const entries: [string, unknown][] = []
    skipSpace()
    if (text[position] === '}') return (position++, {})
    for (;;) {
      skipSpace()
      if (text[position] !== '"') return fail()
      const key = readString()
      skipSpace()
      if (text[position++] !== ':') return fail()
      entries.push([key, readValue(depth)])
      skipSpace()
      const next = text[position++]
      if (next === '}') return Object.fromEntries(entries)
      if (next !== ',') return fail()
    }
  }
  const readValue = (depth: number): unknown => {
    if (depth > nestingMax) throw new SyntaxError(`JSON nests deeper than ${nestingMax} levels`)
    skipSpace()
    switch (text[position]) {
      case '"':
        return readString()
      case '{':
        return readObject(depth + 1)
      case '[':
        return readArray(depth + 1)
    }
    for (const [word, value] of bareWords) {
      if (!text.startsWith(word, position)) continue
      position += word.length
      return value
    }
    numberToken.lastIndex = position
    const number = numberToken.exec(text)?.[0]
    if (number === undefined) return fail()
    position += number.length
    return Number(number)
  }

  const value = readValue(0)
  skipSpace()
  return position === text.length ? value : fail()
}
