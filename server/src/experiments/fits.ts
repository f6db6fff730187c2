/** The table's filters on one experiment at hand, without asking the metric store. Pure. */
import { type Filter, GridError } from '@teamgrid/api'
import type { FactFilter } from '../stores/clickhouse/metric-types.ts'
import type { FactBag } from './facts.ts'
import { factFilterOf } from './filters.ts'

/**
 * Whether an experiment fits all filters, by the same rules as the table.
 * @throws GridError invalid for filters on columns that cannot be.
 */
export function fits(facts: FactBag, filters: readonly Filter[]): boolean {
  const filter = factFilterOf(undefined, [...filters])
  return filter === null || holds(facts, filter)
}

function holds(facts: FactBag, filter: FactFilter): boolean {
  switch (filter.op) {
    case 'and':
      return filter.filters.every((each) => holds(facts, each))
    case 'or':
      return filter.filters.some((each) => holds(facts, each))
    case 'not':
      return !holds(facts, filter.filter)
    case 'exists':
      return facts.has(filter.key) === filter.exists
  }
  const fact = facts.get(filter.key)
  if (fact === undefined) return filter.op === 'ne' || filter.op === 'nin'
  const text = fact.text ?? String(fact.number)
  // A number compares with the number, text with the text; the one never equals the other.
  const sideOf = (value: number | string) => (typeof value === 'number' ? fact.number : fact.text)
  const compare = (value: number | string, holdsFor: (order: number) => boolean) => {
    const side = sideOf(value)
    return side !== null && holdsFor(side < value ? -1 : side > value ? 1 : 0)
  }
  switch (filter.op) {
    case 'eq':
      return sideOf(filter.value) === filter.value
    case 'ne':
      return sideOf(filter.value) !== filter.value
    case 'in':
      return filter.values.some((value) => sideOf(value) === value)
    case 'nin':
      return !filter.values.some((value) => sideOf(value) === value)
    case 'gt':
      return compare(filter.value, (order) => order > 0)
    case 'gte':
      return compare(filter.value, (order) => order >= 0)
    case 'lt':
      return compare(filter.value, (order) => order < 0)
    case 'lte':
      return compare(filter.value, (order) => order <= 0)
    case 'contains':
      return text.toLowerCase().includes(filter.value.toLowerCase())
    case 'regex':
      // The metric store's expressions take linear time; those of this process do not, and rules run on every line.
      throw new GridError('invalid', 'A rule takes no regular expression; use "contains".')
  }
  return filter satisfies never
}
