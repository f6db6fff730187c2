/** The parameters of a sweep as dimensions of a search: what may be drawn, how, and where a value lies in [0, 1]. */
import { isJsonObject } from '../lib/tolerant-json.ts'
import { betaQuantile, betaShare, normalQuantile, normalShare } from './distributions.ts'
import type { Random } from './random.ts'

/** What one experiment is given: values by name, nested as the sweep nests its parameters. */
export type Values = Record<string, unknown>

export type Parameter = {
  /** `['optimizer', 'lr']` for a nested one. */
  path: string[]
  /** `optimizer.lr` */
  name: string
  distribution: string
  /** The value at a share of the distribution, in [0, 1]. */
  at: (share: number) => unknown
  /** The share at which a value lies; undefined for what cannot be a value of it. */
  shareOf: (value: unknown) => number | undefined
  /** Every value, where there are few enough to name; null for what is drawn from a range of real numbers. */
  values: readonly unknown[] | null
  /** Values without order among them. */
  isCategorical: boolean
}

/** One parameter as it stands in the sweep's configuration, already checked. */
export type ParameterSpec = {
  distribution: string
  value?: unknown
  values?: unknown[]
  probabilities?: number[]
  min?: number
  max?: number
  q?: number
  mu?: number
  sigma?: number
  a?: number
  b?: number
}

/** A range of whole numbers or steps longer than this is not written out. */
export const valuesMax = 100_000

export function createParameter(path: string[], spec: ParameterSpec): Parameter {
  const { distribution } = spec
  const base = { path, name: path.join('.'), distribution }
  if (distribution === 'constant') return { ...base, ...choice([spec.value], undefined), isCategorical: true }
  if (distribution === 'categorical' || distribution === 'categorical_w_probabilities')
    return { ...base, ...choice(spec.values ?? [], spec.probabilities), isCategorical: true }
  if (distribution === 'int_uniform')
    return { ...base, ...wholeNumbers(spec.min!, spec.max!), isCategorical: false }
  const plain = distribution.replace(/^q_/, '')
  const line = lineOf(plain, spec)
  if (plain === distribution) return { ...base, ...line, values: null, isCategorical: false }
  return { ...base, ...stepped(line, spec.q ?? 1, boundsOf(plain, spec)), isCategorical: false }
}

/** Draws one value of each. */
export function drawValues(parameters: readonly Parameter[], random: Random): Values {
  return valuesAt(
    parameters,
    parameters.map(() => random()),
  )
}

/** @param shares one for each parameter. */
export function valuesAt(parameters: readonly Parameter[], shares: readonly number[]): Values {
  const values: Values = {}
  for (const [index, parameter] of parameters.entries())
    put(values, parameter.path, parameter.at(shares[index]!))
  return values
}

/** The value at a path; undefined where there is none. */
export function valueIn(values: Values, path: readonly string[]): unknown {
  let found: unknown = values
  for (const name of path) found = isJsonObject(found) && Object.hasOwn(found, name) ? found[name] : undefined
  return found
}

export function put(values: Values, path: readonly string[], value: unknown): void {
  let place = values
  for (const name of path.slice(0, -1)) {
    const below = Object.hasOwn(place, name) ? place[name] : undefined
    place = isJsonObject(below) ? below : (place[name] = {})
  }
  place[path.at(-1)!] = value
}

/** The same text for the same value, whatever the order of its keys. */
export function textOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(textOf).join(',')}]`
  if (!isJsonObject(value)) return JSON.stringify(value) ?? 'null'
  const entries = Object.keys(value)
    .toSorted()
    .map((key) => `${JSON.stringify(key)}:${textOf(value[key])}`)
  return `{${entries.join(',')}}`
}

type Scale = Pick<Parameter, 'at' | 'shareOf'>

function choice(values: readonly unknown[], probabilities: readonly number[] | undefined) {
  const weights = probabilities ?? values.map(() => 1)
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  let sum = 0
  const ends = weights.map((weight) => (sum += weight) / total)
  const indexOf = new Map(values.map((value, index) => [textOf(value), index]))
  return {
    values,
    at(share: number) {
      const index = ends.findIndex((end) => share < end)
      // Rounding may leave the last end just under 1; a choice of probability 0 is never drawn.
      return values[index === -1 ? weights.findLastIndex((weight) => weight > 0) : index]
    },
    shareOf(value: unknown) {
      const index = indexOf.get(textOf(value))
      return index === undefined ? undefined : ((ends[index - 1] ?? 0) + ends[index]!) / 2
    },
  }
}

function wholeNumbers(min: number, max: number): Scale & Pick<Parameter, 'values'> {
  const count = max - min + 1
  return {
    at: (share) => Math.min(max, min + Math.floor(share * count)),
    shareOf: (value) => (typeof value === 'number' ? clamp((value - min + 0.5) / count) : undefined),
    values: count <= valuesMax ? Array.from({ length: count }, (_, index) => min + index) : null,
  }
}

/** A distribution over real numbers. `log_uniform` names the logarithms of its bounds, `log_uniform_values` the bounds. */
function lineOf(distribution: string, spec: ParameterSpec): Scale {
  const { min = 0, max = 1, mu = 0, sigma = 1, a = 1, b = 1 } = spec
  switch (distribution) {
    case 'uniform':
      return through(
        (share) => min + share * (max - min),
        (value) => (value - min) / (max - min || 1),
      )
    case 'log_uniform':
      return logUniform(min, max)
    case 'log_uniform_values':
      return logUniform(Math.log(min), Math.log(max))
    case 'inv_log_uniform':
      // The inverse of what `log_uniform` draws.
      return logUniform(-max, -min)
    case 'inv_log_uniform_values':
      return logUniform(Math.log(min), Math.log(max))
    case 'normal':
      return through(
        (share) => mu + sigma * normalQuantile(inside(share)),
        (value) => normalShare((value - mu) / (sigma || 1)),
      )
    case 'log_normal':
      return through(
        (share) => Math.exp(mu + sigma * normalQuantile(inside(share))),
        (value) => (value > 0 ? normalShare((Math.log(value) - mu) / (sigma || 1)) : 0),
      )
    case 'beta':
      return through(
        (share) => betaQuantile(share, a, b),
        (value) => betaShare(value, a, b),
      )
    default:
      throw new Error(`No distribution ${distribution}`)
  }
}

function logUniform(low: number, high: number): Scale {
  return through(
    (share) => Math.exp(low + share * (high - low)),
    (value) => (value > 0 ? (Math.log(value) - low) / (high - low || 1) : 0),
  )
}

function through(at: (share: number) => number, shareOf: (value: number) => number): Scale {
  return { at, shareOf: (value) => (typeof value === 'number' ? clamp(shareOf(value)) : undefined) }
}

type Bounds = { min: number; max: number } | null

function boundsOf(distribution: string, { min = 0, max = 1 }: ParameterSpec): Bounds {
  switch (distribution) {
    case 'uniform':
    case 'log_uniform_values':
      return { min, max }
    case 'log_uniform':
      return { min: Math.exp(min), max: Math.exp(max) }
    case 'beta':
      return { min: 0, max: 1 }
    default:
      return null
  }
}

/** Multiples of `q`; within the bounds, if there is a multiple between them. */
function stepped(line: Scale, q: number, bounds: Bounds): Scale & Pick<Parameter, 'values'> {
  const tolerance = 1e-9
  const first = bounds && Math.ceil(bounds.min / q - tolerance)
  const last = bounds && Math.floor(bounds.max / q + tolerance)
  // 3 × 0.1 is not 0.3 in binary; twelve digits tell every sensible step.
  const multiple = (count: number) => Number((count * q).toPrecision(12))
  const isBounded = first !== null && last !== null && first <= last
  return {
    at(share) {
      const count = Math.round((line.at(share) as number) / q)
      return multiple(isBounded ? Math.min(last, Math.max(first, count)) : count)
    },
    shareOf: line.shareOf,
    values:
      isBounded && last - first < valuesMax
        ? Array.from({ length: last - first + 1 }, (_, index) => multiple(first + index))
        : null,
  }
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share))
}

/** The ends of a normal lie at infinity, which nobody can train with. */
function inside(share: number): number {
  return Math.min(1 - 1e-12, Math.max(1e-12, share))
}
