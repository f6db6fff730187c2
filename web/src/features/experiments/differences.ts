/** Config or summary of several experiments side by side. Pure. */

export type Comparison = { key: string; values: unknown[]; differs: boolean }

/**
 * All keys of all sides, nested objects flattened with dots, those that differ first.
 *
 * @param sides one record per experiment; a missing key compares as undefined.
 */
export function compare(sides: readonly Record<string, unknown>[]): Comparison[] {
  const flat = sides.map((side) => flatten(side))
  const keys = [...new Set(flat.flatMap((side) => [...side.keys()]))].toSorted((a, b) =>
    a.localeCompare(b, 'en', { numeric: true }),
  )
  const rows = keys.map((key) => {
    const values = flat.map((side) => side.get(key))
    return {
      key,
      values,
      differs: values.some((value) => JSON.stringify(value) !== JSON.stringify(values[0])),
    }
  })
  return [...rows.filter((row) => row.differs), ...rows.filter((row) => !row.differs)]
}

/** `{ a: { b: 1 } }` becomes `a.b → 1`. Lists stay whole; an empty object stays itself. */
export function flatten(value: Record<string, unknown>, prefix = ''): Map<string, unknown> {
  const out = new Map<string, unknown>()
  for (const [key, each] of Object.entries(value)) {
    const name = prefix + key
    if (
      typeof each === 'object' &&
      each !== null &&
      !Array.isArray(each) &&
      Object.keys(each).length > 0 &&
      !('_type' in each)
    ) {
      for (const [inner, deep] of flatten(each as Record<string, unknown>, `${name}.`)) out.set(inner, deep)
    } else out.set(name, each)
  }
  return out
}
