/**
 * Quantiles and cumulative shares of the distributions that parameters of a sweep may have: a draw is the quantile of a
 * uniform number, and the search by a model works on the shares, which all lie in [0, 1].
 */

/** @param share in [0, 1]. @returns the value below which that share of a standard normal lies; ±Infinity at the ends.
 *  Source: P. J. Acklam's rational approximation (relative error below 1.2e-9), one step of Halley's method after it. */
export function normalQuantile(share: number): number {
  if (share <= 0) return -Infinity
  if (share >= 1) return Infinity
  const rough = acklam(share)
  const error = normalShare(rough) - share
  const step = error * Math.sqrt(2 * Math.PI) * Math.exp((rough * rough) / 2)
  return rough - step / (1 + (rough * step) / 2)
}

function acklam(share: number): number {
  const low = 0.02425
  const tail = (q: number) =>
    polynomial(
      q,
      [
        -7.784894002430293e-3, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
        2.938163982698783,
      ],
    ) / polynomial(q, [7.784695709041462e-3, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1])
  if (share < low) return tail(Math.sqrt(-2 * Math.log(share)))
  if (share > 1 - low) return -tail(Math.sqrt(-2 * Math.log(1 - share)))
  const q = share - 0.5
  const r = q * q
  const above = polynomial(
    r,
    [
      -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716,
      2.506628277459239,
    ],
  )
  const below = polynomial(
    r,
    [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1],
  )
  return (above * q) / below
}

function polynomial(x: number, coefficients: number[]): number {
  return coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0)
}

/** @returns the share of a standard normal below `value`. */
export function normalShare(value: number): number {
  return value < 0 ? upperTail(-value) : 1 - upperTail(value)
}

/** The density of a standard normal. */
export function normalDensity(value: number): number {
  return Math.exp((-value * value) / 2) / Math.sqrt(2 * Math.PI)
}

/** Source: G. West, “Better approximations to cumulative normal functions”, Wilmott 2005, after Hart (1968). */
function upperTail(value: number): number {
  if (value > 37) return 0
  const exponential = Math.exp((-value * value) / 2)
  if (value >= 7.07106781186547) {
    const fraction = value + 1 / (value + 2 / (value + 3 / (value + 4 / (value + 0.65))))
    return exponential / fraction / 2.506628274631
  }
  const above = polynomial(
    value,
    [
      3.52624965998911e-2, 0.700383064443688, 6.37396220353165, 33.912866078383, 112.079291497871,
      221.213596169931, 220.206867912376,
    ],
  )
  const below = polynomial(
    value,
    [
      8.83883476483184e-2, 1.75566716318264, 16.064177579207, 86.7807322029461, 296.564248779674,
      637.333633378831, 793.826512519948, 440.413735824752,
    ],
  )
  return (exponential * above) / below
}

/** @returns the share of Beta(a, b) below `value`: the regularised incomplete beta function. */
export function betaShare(value: number, a: number, b: number): number {
  if (value <= 0) return 0
  if (value >= 1) return 1
  const front = Math.exp(
    logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(value) + b * Math.log(1 - value),
  )
  return value < (a + 1) / (a + b + 2)
    ? (front * betaFraction(value, a, b)) / a
    : 1 - (front * betaFraction(1 - value, b, a)) / b
}

/** Source: the continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method. */
function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300
  const away = (value: number) => (Math.abs(value) < tiny ? tiny : value)
  let c = 1
  let d = 1 / away(1 - ((a + b) * x) / (a + 1))
  let result = d
  for (let m = 1; m <= 500; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 / away(1 + even * d)
    c = away(1 + even / c)
    result *= d * c
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 / away(1 + odd * d)
    c = away(1 + odd / c)
    result *= d * c
    if (Math.abs(d * c - 1) < 1e-15) break
  }
  return result
}

/** Source: Lanczos' approximation with g = 7 and nine coefficients. */
function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x)
  const coefficients = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ]
  const sum = coefficients.reduce(
    (total, each, index) => total + (index === 0 ? each : each / (x - 1 + index)),
  )
  const t = x + 6.5
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum)
}

/** The value below which that share of Beta(a, b) lies, by halving. */
export function betaQuantile(share: number, a: number, b: number): number {
  if (share <= 0) return 0
  if (share >= 1) return 1
  let low = 0
  let high = 1
  for (let round = 0; round < 60; round++) {
    const middle = (low + high) / 2
    if (betaShare(middle, a, b) < share) low = middle
    else high = middle
  }
  return (low + high) / 2
}
