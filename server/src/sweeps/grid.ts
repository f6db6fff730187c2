/** Every combination of values, in order, without ever writing the whole list down. */
import { type Parameter, put, textOf, valueIn, type Values } from './parameters.ts'

export type Grid = {
  /** How many combinations there are; may be beyond what any machine can count through. */
  size: number
  at: (position: number) => Values
  /** Undefined for values that are not of this grid. */
  positionOf: (values: Values) => number | undefined
}

/** @param parameters each with its values named. The last one changes fastest. */
export function createGrid(parameters: readonly Parameter[]): Grid {
  const axes = parameters.map((parameter) => {
    const values = distinct(parameter.values ?? [])
    return {
      path: parameter.path,
      values,
      indexOf: new Map(values.map((value, index) => [textOf(value), index])),
    }
  })
  return {
    size: axes.reduce((product, { values }) => product * values.length, 1),
    at(position) {
      const chosen: unknown[] = []
      let rest = position
      for (const { values } of axes.toReversed()) {
        chosen.unshift(values[rest % values.length])
        rest = Math.floor(rest / values.length)
      }
      const result: Values = {}
      for (const [index, { path }] of axes.entries()) put(result, path, chosen[index])
      return result
    },
    positionOf(values) {
      let position = 0
      for (const axis of axes) {
        const index = axis.indexOf.get(textOf(valueIn(values, axis.path)))
        if (index === undefined) return undefined
        position = position * axis.values.length + index
      }
      return position
    },
  }
}

/** @returns the first position at or after `from` that nobody has; undefined when there is none. */
export function freeInGrid(grid: Grid, taken: ReadonlySet<number>, from: number): number | undefined {
  for (let position = from; position < grid.size; position++) if (!taken.has(position)) return position
  return undefined
}

/** A value that is named twice is tried once. */
function distinct(values: readonly unknown[]): unknown[] {
  return [...new Map(values.map((value) => [textOf(value), value])).values()]
}
