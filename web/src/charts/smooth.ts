/**
 * Time-weighted exponential moving average: a point's weight falls with its distance on the x axis, not with the number
 * of points between, so a metric logged twice as often is smoothed alike.
 *
 * @param x ascending, any unit. @param y in the metric's unit; NaN and ±Infinity pass through and do not pollute the average.
 * @param amount 0 (off) … 0.999; at 0.9 a point keeps about 90 % of the average one mean spacing earlier.
 * @param span the visible length of x. The spacing is measured against it: 1/1000 of the span counts as one step,
 *   so zooming does not change the shape and a short curve is smoothed as much as a long one.
 * @returns same length as `y`.
 * Source: W&B's documented "time weighted EMA" and its viewport scaling of 1000; debiased like Adam's moments
 * (Kingma and Ba, 2015), so the first points are not dragged towards zero.
 */
export function smooth(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  amount: number,
  span: number,
): Float64Array {
  const out = new Float64Array(y.length)
  const strength = Math.min(Math.sqrt(Math.max(0, amount)), 0.9999)
  let average = 0
  let weight = 0
  let previous = NaN
  for (let i = 0; i < y.length; i += 1) {
    const value = y[i]!
    if (!Number.isFinite(value) || amount <= 0) {
      out[i] = value
      continue
    }
    const distance = Number.isNaN(previous) || span <= 0 ? 1 : ((x[i]! - previous) / span) * viewportScale
    const keep = strength ** Math.max(distance, 1e-6)
    average = average * keep + value * (1 - keep)
    weight = weight * keep + (1 - keep)
    previous = x[i]!
    out[i] = weight > 0 ? average / weight : value
  }
  return out
}

const viewportScale = 1000
