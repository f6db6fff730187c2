/** Where the lines of parallel coordinates go: one upright axis for each dimension, values at their height. Pure. */
import { formatNumber } from '../lib/format.ts'

export type Dimension = {
  name: string
  /** Values without order stand one above the other. */
  isCategorical: boolean
  isLogarithmic: boolean
}

export type Axis = {
  name: string
  /** The height of a value, 0 at the foot and 1 at the top; undefined for one that has no place here. */
  heightOf: (value: unknown) => number | undefined
  ticks: readonly { height: number; label: string }[]
}

const choicesMax = 40
const ticksWanted = 5

/** @param values every value of the dimension, missing ones undefined or null. */
export function axisOf(dimension: Dimension, values: readonly unknown[]): Axis {
  const present = values.filter((value) => value !== undefined && value !== null)
  const numbers = present.filter(
    (value): value is number => typeof value === 'number' && Number.isFinite(value),
  )
  const isNumeric = numbers.length > 0 && numbers.length === present.length
  if (!isNumeric || (dimension.isCategorical && new Set(numbers).size <= choicesMax))
    return choiceAxis(dimension.name, present)
  return dimension.isLogarithmic && Math.min(...numbers) > 0
    ? logAxis(dimension.name, numbers)
    : linearAxis(dimension.name, numbers)
}

function choiceAxis(name: string, values: readonly unknown[]): Axis {
  const isOrdered = values.every((value) => typeof value === 'number')
  const words = [...new Set(values.map(wordOf))].toSorted((a, b) =>
    isOrdered ? Number(a) - Number(b) : a.localeCompare(b, 'en', { numeric: true }),
  )
  const kept = words.slice(0, choicesMax)
  const height = (index: number) => (kept.length === 1 ? 0.5 : index / (kept.length - 1))
  const heights = new Map(kept.map((word, index) => [word, height(index)]))
  return {
    name,
    heightOf: (value) => (value === undefined || value === null ? undefined : heights.get(wordOf(value))),
    ticks: kept.map((word, index) => ({ height: height(index), label: word })),
  }
}

function linearAxis(name: string, numbers: readonly number[]): Axis {
  const [low, high] = extent(numbers)
  const place = (value: number) => (high === low ? 0.5 : (value - low) / (high - low))
  return {
    name,
    heightOf: (value) => (typeof value === 'number' && Number.isFinite(value) ? place(value) : undefined),
    ticks: [...new Set([low, ...roundSteps(low, high), high])].map((value) => ({
      height: place(value),
      label: formatNumber(value),
    })),
  }
}

function logAxis(name: string, numbers: readonly number[]): Axis {
  const [low, high] = extent(numbers)
  const place = (value: number) =>
    high === low ? 0.5 : (Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low))
  const powers: number[] = []
  for (let power = Math.ceil(Math.log10(low)); power <= Math.log10(high); power++) powers.push(10 ** power)
  return {
    name,
    heightOf: (value) => (typeof value === 'number' && value > 0 ? place(value) : undefined),
    ticks: [...new Set([low, ...powers, high])].map((value) => ({
      height: place(value),
      label: formatNumber(value),
    })),
  }
}

/** Round numbers strictly inside. */
function roundSteps(low: number, high: number): number[] {
  if (!(high > low)) return []
  const rough = (high - low) / ticksWanted
  const unit = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((factor) => factor * unit).find((each) => each >= rough)!
  const steps: number[] = []
  for (let count = Math.floor(low / step) + 1; count * step < high; count++)
    steps.push(Number((count * step).toPrecision(12)))
  return steps
}

function extent(numbers: readonly number[]): [low: number, high: number] {
  let low = Infinity
  let high = -Infinity
  for (const value of numbers) {
    if (value < low) low = value
    if (value > high) high = value
  }
  return [low, high]
}

function wordOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Ticks that do not sit on each other; the first and the last always stay. */
export function spacedTicks(ticks: Axis['ticks'], heightPixels: number, gapPixels = 14): Axis['ticks'] {
  const [first] = ticks
  const last = ticks.at(-1)
  if (first === undefined || last === undefined) return []
  const kept = [first]
  for (const tick of ticks.slice(1, -1))
    if (
      (tick.height - kept.at(-1)!.height) * heightPixels >= gapPixels &&
      (last.height - tick.height) * heightPixels >= gapPixels
    )
      kept.push(tick)
  return ticks.length > 1 ? [...kept, last] : kept
}

/** The map “viridis” of matplotlib (van der Walt and Smith, 2015) at nine points. */
const viridis = [
  '#482878',
  '#3e4a89',
  '#31688e',
  '#26828e',
  '#1f9e89',
  '#35b779',
  '#6ece58',
  '#b5de2b',
  '#fde725',
]

/**
 * A colour from low to high that keeps its order for every kind of sight; what is hard to see on the page is left out.
 * @param share 0 … 1.
 */
export function shareColour(share: number, theme: 'light' | 'dark'): string {
  const stops = theme === 'light' ? viridis.slice(0, -2) : viridis.slice(2)
  const place = Math.min(1, Math.max(0, share)) * (stops.length - 1)
  const index = Math.min(stops.length - 2, Math.floor(place))
  const mix = place - index
  const channel = (hex: string, at: number) => parseInt(hex.slice(at, at + 2), 16)
  const parts = [1, 3, 5].map((at) =>
    Math.round(channel(stops[index]!, at) * (1 - mix) + channel(stops[index + 1]!, at) * mix),
  )
  return `rgb(${parts.join(' ')})`
}
