/**
 * A Gaussian process over the unit cube: from some measured points, what to expect anywhere, and how surely.
 *
 * Matérn 5/2 kernel with a length for each dimension, a constant mean and noise; lengths and noise are those of the
 * highest marginal likelihood. Source: Rasmussen and Williams, “Gaussian Processes for Machine Learning”, 2006,
 * algorithm 2.1 and equations 4.17 and 5.8. The scale of the kernel has its best value in closed form.
 */

export type Model = {
  /** @param point one number in [0, 1] for each dimension. @returns in the unit of the values. */
  predict: (point: readonly number[]) => { mean: number; deviation: number }
}

type Lengths = { lengths: number[]; noise: number }

/** Tried before anything is refined; in the cube the longest distance of one dimension is 1. */
const startLengths = [0.08, 0.15, 0.3, 0.6, 1.2, 3]
const startNoises = [1e-6, 1e-3, 3e-2]
/** In more dimensions each length would rest on too few points. */
const ownLengthsMax = 12
const refinements = 3

/**
 * @param points n points of the unit cube; @param values n finite numbers. Fitting takes about n³ steps, a hundred times.
 */
export function fitGaussianProcess(points: readonly (readonly number[])[], values: readonly number[]): Model {
  const centre = values.reduce((sum, value) => sum + value, 0) / values.length
  const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / values.length) || 1
  const targets = values.map((value) => (value - centre) / spread)
  const { lengths, noise } = bestLengths(points, targets)
  const fitted = solve(points, targets, lengths, noise)
  if (!fitted) throw new Error('The covariance of the points cannot be decomposed')
  const { factor, weights, scale } = fitted
  return {
    predict(point) {
      const near = points.map((each) => matern(each, point, lengths))
      const mean = near.reduce((sum, value, index) => sum + value * weights[index]!, 0)
      const reduced = forward(factor, near)
      const variance = 1 - reduced.reduce((sum, value) => sum + value * value, 0)
      return {
        mean: centre + spread * mean,
        deviation: spread * Math.sqrt(Math.max(1e-12, variance) * scale),
      }
    },
  }
}

function bestLengths(points: readonly (readonly number[])[], targets: readonly number[]): Lengths {
  const dimensions = points[0]!.length
  let best: Lengths = { lengths: Array<number>(dimensions).fill(0.3), noise: 1e-3 }
  let bestLikelihood = -Infinity
  const consider = (candidate: Lengths): boolean => {
    const fitted = solve(points, targets, candidate.lengths, candidate.noise)
    if (!fitted || !(fitted.likelihood > bestLikelihood)) return false
    best = candidate
    bestLikelihood = fitted.likelihood
    return true
  }
  for (const length of startLengths)
    for (const noise of startNoises) consider({ lengths: Array<number>(dimensions).fill(length), noise })
  if (dimensions > ownLengthsMax) return best
  // One dimension after the other, in ever smaller steps.
  for (let round = 0, step = 2; round < refinements; round++, step = Math.sqrt(step)) {
    for (let dimension = 0; dimension < dimensions; dimension++) {
      for (const factor of [step, 1 / step]) {
        const lengths = best.lengths.with(
          dimension,
          Math.min(10, Math.max(0.02, best.lengths[dimension]! * factor)),
        )
        if (consider({ ...best, lengths })) break
      }
    }
    for (const factor of [step ** 2, step ** -2])
      consider({ ...best, noise: Math.min(0.3, Math.max(1e-8, best.noise * factor)) })
  }
  return best
}

type Fitted = { factor: Float64Array[]; weights: number[]; scale: number; likelihood: number }

/** @returns undefined when the points lie too close together for the arithmetic. */
function solve(
  points: readonly (readonly number[])[],
  targets: readonly number[],
  lengths: readonly number[],
  noise: number,
): Fitted | undefined {
  const factor = points.map((point, row) => {
    const entries = new Float64Array(points.length)
    for (let column = 0; column <= row; column++) entries[column] = matern(point, points[column]!, lengths)
    entries[row] = 1 + noise + 1e-9
    return entries
  })
  if (!decompose(factor)) return undefined
  const half = forward(factor, targets)
  const scale = Math.max(1e-9, half.reduce((sum, value) => sum + value * value, 0) / targets.length)
  const logDeterminant = factor.reduce((sum, row, index) => sum + Math.log(row[index]!), 0)
  // A gentle pull towards middling lengths and little noise, where a handful of points says nothing about them.
  const prior =
    lengths.reduce((sum, length) => sum - 0.5 * (Math.log(length / 0.5) / 1.5) ** 2, 0) -
    0.5 * (Math.log(noise / 1e-4) / 6) ** 2
  return {
    factor,
    weights: backward(factor, half),
    scale,
    likelihood: -0.5 * targets.length * Math.log(scale) - logDeterminant + prior,
  }
}

/** Matérn 5/2 with variance 1. */
function matern(a: readonly number[], b: readonly number[], lengths: readonly number[]): number {
  let squared = 0
  for (let dimension = 0; dimension < lengths.length; dimension++)
    squared += ((a[dimension]! - b[dimension]!) / lengths[dimension]!) ** 2
  const distance = Math.sqrt(5 * squared)
  return (1 + distance + (5 / 3) * squared) * Math.exp(-distance)
}

/** Cholesky, in place: the lower triangle becomes L with L·Lᵀ the matrix. @returns false if it is not positive. */
function decompose(matrix: Float64Array[]): boolean {
  for (let row = 0; row < matrix.length; row++) {
    const mine = matrix[row]!
    for (let column = 0; column <= row; column++) {
      const theirs = matrix[column]!
      let sum = mine[column]!
      for (let index = 0; index < column; index++) sum -= mine[index]! * theirs[index]!
      if (column < row) mine[column] = sum / theirs[column]!
      else if (!(sum > 0)) return false
      else mine[row] = Math.sqrt(sum)
    }
  }
  return true
}

/** Solves L·x = b. */
function forward(factor: readonly Float64Array[], b: readonly number[]): number[] {
  const x: number[] = []
  for (const [row, entries] of factor.entries()) {
    let sum = b[row]!
    for (let column = 0; column < row; column++) sum -= entries[column]! * x[column]!
    x.push(sum / entries[row]!)
  }
  return x
}

/** Solves Lᵀ·x = b. */
function backward(factor: readonly Float64Array[], b: readonly number[]): number[] {
  const x = [...b]
  for (let row = factor.length - 1; row >= 0; row--) {
    for (let below = row + 1; below < factor.length; below++)
      x[row] = x[row]! - factor[below]![row]! * x[below]!
    x[row] = x[row]! / factor[row]![row]!
  }
  return x
}
