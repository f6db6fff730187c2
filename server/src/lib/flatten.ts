import { isJsonObject } from './tolerant-json.ts'

/** Deeper dictionaries are kept as one value. */
const depthMax = 32

/**
 * Walks the leaves of a nested dictionary, keys joined with `.`: `{"d": {"x": 1}}` → `d.x`. A dictionary with a
 * `_type` (an image, a table, a histogram) is one leaf, and so are lists, empty dictionaries and everything else.
 * Two ways to the same name (`{"a.b": 1, "a": {"b": 2}}`) are both visited, in order.
 */
export function visitLeaves(
  nested: Record<string, unknown>,
  visit: (key: string, value: unknown) => void,
  prefix = '',
  depth = 0,
): void {
  for (const key of Object.keys(nested)) {
    const value = nested[key]
    const name = prefix === '' ? key : `${prefix}.${key}`
    if (isDictionary(value) && depth < depthMax) visitLeaves(value, visit, name, depth + 1)
    else visit(name, value)
  }
}

/**
 * The value behind a flattened key, or undefined. `a.b` finds `{"a": {"b": 1}}` and `{"a.b": 1}` alike.
 */
export function findFlattened(nested: Record<string, unknown>, key: string): unknown {
  if (Object.hasOwn(nested, key)) return nested[key]
  for (let dot = key.indexOf('.'); dot !== -1; dot = key.indexOf('.', dot + 1)) {
    const head = key.slice(0, dot)
    const below = Object.hasOwn(nested, head) ? nested[head] : undefined
    if (!isJsonObject(below)) continue
    const found = findFlattened(below, key.slice(dot + 1))
    if (found !== undefined) return found
  }
  return undefined
}

/** Every first part a flattened key may have: `a.b.c` → `a`, `a.b`, `a.b.c`. */
export function possibleHeads(key: string): string[] {
  const parts = key.split('.')
  return parts.map((_, index) => parts.slice(0, index + 1).join('.'))
}

function isDictionary(value: unknown): value is Record<string, unknown> {
  return isJsonObject(value) && typeof value['_type'] !== 'string' && Object.keys(value).length > 0
}
