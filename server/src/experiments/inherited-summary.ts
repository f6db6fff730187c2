/**
 * What a branch has as its summary before it logs anything, and still has of what it never logs again. The client of a
 * branch begins with an empty summary and sends it whole, so what was inherited is kept beside and put under it.
 */
import { findFlattened } from '../lib/flatten.ts'
import { isJsonObject } from '../lib/tolerant-json.ts'
import { ownPart } from './details.ts'

export type InheritedSummary = {
  summary: Record<string, unknown>
  /** The last value of each key, whatever stands in the summary; with step and times. */
  last: Record<string, unknown>
  /** Keys of which `define_metric` asked for lows and highs and the like, instead of the last value. */
  tracked: string[]
}

/** Numbers of the client's protocol (`summary` of a metric definition). */
const kinds = { 1: 'min', 2: 'max', 3: 'mean', 5: 'last', 8: 'first' } as const
type Kind = (typeof kinds)[keyof typeof kinds]
const none = 6

type Tracked = {
  kinds: Kind[]
  min: number
  max: number
  sum: number
  count: number
  first: unknown
  last: unknown
}

/**
 * Goes through history lines in order and says what summary they leave.
 * @param config the experiment's, with its metric definitions.
 */
export function createSumming(config: Record<string, unknown>) {
  const { tracked, hidden } = definedIn(config)
  let last: Record<string, unknown> = {}
  return {
    add(row: Record<string, unknown>): void {
      last = merged(last, row)
      for (const [key, track] of tracked) {
        const value = findFlattened(row, key)
        if (value === undefined) continue
        track.first ??= value
        track.last = value
        if (typeof value !== 'number' || !Number.isFinite(value)) continue
        track.min = Math.min(track.min, value)
        track.max = Math.max(track.max, value)
        track.sum += value
        track.count += 1
      }
    },
    result(): InheritedSummary {
      let summary = last
      for (const key of hidden) summary = replaced(summary, key, undefined)
      for (const [key, track] of tracked)
        if (track.last !== undefined) summary = replaced(summary, key, valuesOf(track))
      return { summary, last, tracked: [...tracked.keys()] }
    },
  }
}

function definedIn(config: Record<string, unknown>) {
  const tracked = new Map<string, Tracked>()
  const hidden: string[] = []
  const definitions = ownPart(config)['m']
  for (const definition of Array.isArray(definitions) ? definitions.filter(isJsonObject) : []) {
    const [key, wanted] = [definition['1'], definition['7']]
    if (typeof key !== 'string' || !Array.isArray(wanted)) continue
    const numbers = wanted.map(Number)
    const asked = numbers.flatMap((number) => kinds[number as keyof typeof kinds] ?? [])
    const plain = key.replaceAll('\\.', '.')
    if (numbers.includes(none)) hidden.push(plain)
    else if (asked.length > 0)
      tracked.set(plain, {
        kinds: asked,
        min: Infinity,
        max: -Infinity,
        sum: 0,
        count: 0,
        first: undefined,
        last: undefined,
      })
  }
  return { tracked, hidden }
}

function valuesOf({ kinds: asked, min, max, sum, count, first, last }: Tracked): Record<string, unknown> {
  const known: Record<Kind, unknown> = {
    first,
    last,
    ...(count > 0 ? { min, max, mean: sum / count } : { min: undefined, max: undefined, mean: undefined }),
  }
  return Object.fromEntries(
    asked.flatMap((kind) => (known[kind] === undefined ? [] : [[kind, known[kind]] as const])),
  )
}

/** The last value of each key, as the client keeps it; groups of keys go together, media are replaced whole. */
function merged(before: Record<string, unknown>, row: Record<string, unknown>): Record<string, unknown> {
  const after: Record<string, unknown> = Object.assign(Object.create(null), before)
  for (const [key, value] of Object.entries(row)) {
    const old = after[key]
    after[key] = isGroup(old) && isGroup(value) ? merged(old, value) : value
  }
  return after
}

function isGroup(value: unknown): value is Record<string, unknown> {
  return isJsonObject(value) && value['_type'] === undefined
}

/** The same with another value behind a flattened key; undefined takes it out. */
function replaced(nested: Record<string, unknown>, key: string, value: unknown): Record<string, unknown> {
  if (Object.hasOwn(nested, key)) {
    const { [key]: _, ...rest } = nested
    return value === undefined ? rest : { ...rest, [key]: value }
  }
  for (let dot = key.indexOf('.'); dot !== -1; dot = key.indexOf('.', dot + 1)) {
    const head = key.slice(0, dot)
    const below = Object.hasOwn(nested, head) ? nested[head] : undefined
    if (isGroup(below) && findFlattened(below, key.slice(dot + 1)) !== undefined)
      return { ...nested, [head]: replaced(below, key.slice(dot + 1), value) }
  }
  return nested
}

/**
 * A summary that the script of a branch sent, over what the branch inherited: what it has not logged again stays, and
 * lows, highs and first values are those of the whole history.
 */
export function withInherited(
  { summary, tracked }: Pick<InheritedSummary, 'summary' | 'tracked'>,
  sent: Record<string, unknown>,
): Record<string, unknown> {
  let whole = merged(summary, sent)
  for (const key of tracked) {
    const [before, now] = [findFlattened(summary, key), findFlattened(sent, key)]
    // A branch that does not define the metric sends its last value.
    if (now !== undefined && !isJsonObject(now)) whole = replaced(whole, key, now)
    if (isJsonObject(before) && isJsonObject(now)) whole = replaced(whole, key, joined(before, now))
  }
  return whole
}

function joined(before: Record<string, unknown>, now: Record<string, unknown>): Record<string, unknown> {
  const both = (kind: Kind, choose: (a: number, b: number) => number) => {
    const [a, b] = [before[kind], now[kind]]
    return typeof a === 'number' && typeof b === 'number' ? { [kind]: choose(a, b) } : {}
  }
  return {
    ...now,
    ...both('min', Math.min),
    ...both('max', Math.max),
    ...('first' in now && 'first' in before ? { first: before.first } : {}),
  }
}
