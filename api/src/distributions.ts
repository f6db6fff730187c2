/**
 * NumPy's random distributions by NumPy's names and parameters, drawn with a seed. The numbers are not NumPy's own (its
 * generator is not ours): the same text with the same seed gives the same numbers here, for ever.
 *
 * Source of names, parameters and definitions: the reference of `numpy.random.Generator`.
 */
import {
  randomBeta,
  randomBinomial,
  randomCauchy,
  randomExponential,
  randomGamma,
  randomGeometric,
  randomLogistic,
  randomLogNormal,
  randomNormal,
  randomPareto,
  randomPoisson,
  randomUniform,
} from 'd3-random'

/** Returns evenly spread numbers in [0, 1). */
export type Random = () => number

type Distribution = {
  /** In NumPy's order; the sample count follows them. */
  parameters: readonly string[]
  /** Says what is wrong with the parameters, or nothing. */
  check?: (...parameters: number[]) => string | false
  sampler: (random: Random, ...parameters: number[]) => () => number
}

const positive =
  (...names: string[]) =>
  (...values: number[]): string | false => {
    const bad = names.findIndex((_, index) => !(values[index]! > 0))
    return bad >= 0 && `${names[bad]} must be greater than 0`
  }
/** The same, where only the second of two parameters is a scale. */
const positiveScale = (_location: number, scale: number) => !(scale > 0) && 'scale must be greater than 0'
const probability = (p: number) => !(p > 0 && p <= 1) && 'p must lie above 0 and not above 1'
const whole = (name: string, value: number, least: number) =>
  !(Number.isSafeInteger(value) && value >= least) && `${name} must be a whole number of at least ${least}`
/** Rejection loops below need time that grows with their parameter; nobody searches beyond this. */
const large = 1e9

const chiSquare = (random: Random, degrees: number) => randomGamma.source(random)(degrees / 2, 2)

export const distributions: Readonly<Record<string, Distribution>> = {
  uniform: {
    parameters: ['low', 'high'],
    check: (low, high) => !(low! <= high!) && 'low must not be above high',
    sampler: (random, low, high) => randomUniform.source(random)(low!, high!),
  },
  loguniform: {
    parameters: ['low', 'high'],
    check: (low, high) =>
      !(low! > 0 && low! <= high!) && 'both ends must be greater than 0, the lower one first',
    sampler: (random, low, high) => {
      const exponent = randomUniform.source(random)(Math.log(low!), Math.log(high!))
      // Rounding of exp(log x) may leave the interval by the last digit.
      return () => Math.min(high!, Math.max(low!, Math.exp(exponent())))
    },
  },
  randint: {
    parameters: ['low', 'high'],
    check: (low, high) =>
      whole('low', low!, -Number.MAX_SAFE_INTEGER) ||
      whole('high', high!, -Number.MAX_SAFE_INTEGER) ||
      (!(low! < high!) && 'low must be below high, which is itself never drawn'),
    sampler: (random, low, high) => () => low! + Math.floor(random() * (high! - low!)),
  },
  normal: {
    parameters: ['loc', 'scale'],
    check: positiveScale,
    sampler: (random, loc, scale) => randomNormal.source(random)(loc, scale),
  },
  lognormal: {
    parameters: ['mean', 'sigma'],
    check: (_mean, sigma) => !(sigma! > 0) && 'sigma must be greater than 0',
    sampler: (random, mean, sigma) => randomLogNormal.source(random)(mean, sigma),
  },
  beta: {
    parameters: ['a', 'b'],
    check: positive('a', 'b'),
    sampler: (random, a, b) => randomBeta.source(random)(a!, b!),
  },
  binomial: {
    parameters: ['n', 'p'],
    check: (n, p) => whole('n', n!, 0) || (!(p! >= 0 && p! <= 1) && 'p must lie between 0 and 1'),
    sampler: (random, n, p) => randomBinomial.source(random)(n!, p),
  },
  chisquare: {
    parameters: ['df'],
    check: positive('df'),
    sampler: (random, df) => chiSquare(random, df!),
  },
  exponential: {
    parameters: ['scale'],
    check: positive('scale'),
    sampler: (random, scale) => randomExponential.source(random)(1 / scale!),
  },
  f: {
    parameters: ['dfnum', 'dfden'],
    check: positive('dfnum', 'dfden'),
    sampler: (random, upper, lower) => {
      const [over, under] = [chiSquare(random, upper!), chiSquare(random, lower!)]
      return () => over() / upper! / (under() / lower!)
    },
  },
  gamma: {
    parameters: ['shape', 'scale'],
    check: positive('shape', 'scale'),
    sampler: (random, shape, scale) => randomGamma.source(random)(shape!, scale),
  },
  geometric: {
    parameters: ['p'],
    check: (p) => probability(p!),
    sampler: (random, p) => randomGeometric.source(random)(p!),
  },
  gumbel: {
    parameters: ['loc', 'scale'],
    check: positiveScale,
    sampler: (random, loc, scale) => () => loc! - scale! * Math.log(-Math.log(inside(random))),
  },
  hypergeometric: {
    parameters: ['ngood', 'nbad', 'nsample'],
    check: (good, bad, sample) =>
      whole('ngood', good!, 0) ||
      whole('nbad', bad!, 0) ||
      whole('nsample', sample!, 0) ||
      (sample! > good! + bad! && 'nsample must not be above ngood + nbad') ||
      (sample! > 1e6 && 'nsample must not be above 1,000,000'),
    sampler: (random, good, bad, sample) => () => {
      let drawn = 0
      for (let taken = 0; taken < sample!; taken++) {
        if (random() * (good! + bad! - taken) < good! - drawn) drawn++
      }
      return drawn
    },
  },
  laplace: {
    parameters: ['loc', 'scale'],
    check: positiveScale,
    sampler: (random, loc, scale) => () => {
      const u = inside(random) - 0.5
      return loc! - scale! * Math.sign(u) * Math.log(1 - 2 * Math.abs(u))
    },
  },
  logistic: {
    parameters: ['loc', 'scale'],
    check: positiveScale,
    sampler: (random, loc, scale) => randomLogistic.source(random)(loc, scale),
  },
  logseries: {
    parameters: ['p'],
    check: (p) => !(p! > 0 && p! < 1) && 'p must lie between 0 and 1, both excluded',
    // Kemp 1981, "Efficient generation of logarithmically distributed pseudo-random variables", algorithm LS.
    sampler: (random, p) => () => {
      const r = Math.log1p(-p!)
      const q = 1 - Math.exp(r * inside(random))
      return Math.max(1, Math.floor(1 + Math.log(inside(random)) / Math.log(q)))
    },
  },
  negative_binomial: {
    parameters: ['n', 'p'],
    check: (n, p) => positive('n')(n!) || probability(p!),
    sampler: (random, n, p) => {
      if (p === 1) return () => 0
      const rate = randomGamma.source(random)(n!, (1 - p!) / p!)
      return () => randomPoisson.source(random)(rate())()
    },
  },
  noncentral_chisquare: {
    parameters: ['df', 'nonc'],
    check: (df, nonc) => positive('df')(df!) || (!(nonc! >= 0) && 'nonc must not be below 0'),
    sampler: (random, df, nonc) => {
      const count = randomPoisson.source(random)(nonc! / 2)
      return () => chiSquare(random, df! + 2 * (nonc === 0 ? 0 : count()))()
    },
  },
  // NumPy's Pareto is the Lomax distribution: it begins at 0.
  pareto: {
    parameters: ['a'],
    check: positive('a'),
    sampler: (random, a) => {
      const classical = randomPareto.source(random)(a!)
      return () => classical() - 1
    },
  },
  poisson: {
    parameters: ['lam'],
    check: (lam) => !(lam! >= 0 && lam! <= large) && `lam must lie between 0 and ${large}`,
    sampler: (random, lam) => (lam === 0 ? () => 0 : randomPoisson.source(random)(lam!)),
  },
  power: {
    parameters: ['a'],
    check: positive('a'),
    sampler: (random, a) => () => random() ** (1 / a!),
  },
  rayleigh: {
    parameters: ['scale'],
    check: positive('scale'),
    sampler: (random, scale) => () => scale! * Math.sqrt(-2 * Math.log(inside(random))),
  },
  standard_cauchy: { parameters: [], sampler: (random) => randomCauchy.source(random)(0, 1) },
  standard_exponential: { parameters: [], sampler: (random) => randomExponential.source(random)(1) },
  standard_normal: { parameters: [], sampler: (random) => randomNormal.source(random)(0, 1) },
  standard_gamma: {
    parameters: ['shape'],
    check: positive('shape'),
    sampler: (random, shape) => randomGamma.source(random)(shape!),
  },
  standard_t: {
    parameters: ['df'],
    check: positive('df'),
    sampler: (random, df) => {
      const [normal, spread] = [randomNormal.source(random)(), chiSquare(random, df!)]
      return () => normal() / Math.sqrt(spread() / df!)
    },
  },
  triangular: {
    parameters: ['left', 'mode', 'right'],
    check: (left, mode, right) =>
      !(left! <= mode! && mode! <= right! && left! < right!) &&
      'left, mode and right must stand in this order and not be equal',
    sampler: (random, left, mode, right) => () => {
      const [u, width] = [random(), right! - left!]
      return u < (mode! - left!) / width
        ? left! + Math.sqrt(u * width * (mode! - left!))
        : right! - Math.sqrt((1 - u) * width * (right! - mode!))
    },
  },
  vonmises: {
    parameters: ['mu', 'kappa'],
    check: (_mu, kappa) => !(kappa! >= 0) && 'kappa must not be below 0',
    // Best and Fisher 1979, "Efficient simulation of the von Mises distribution".
    sampler: (random, mu, kappa) => {
      if (kappa! < 1e-6) return () => Math.PI * (2 * random() - 1)
      const tau = 1 + Math.sqrt(1 + 4 * kappa! * kappa!)
      const rho = (tau - Math.sqrt(2 * tau)) / (2 * kappa!)
      const r = (1 + rho * rho) / (2 * rho)
      return () => {
        for (;;) {
          const z = Math.cos(Math.PI * random())
          const f = (1 + r * z) / (r + z)
          const c = kappa! * (r - f)
          const u = inside(random)
          if (c * (2 - c) - u > 0 || Math.log(c / u) + 1 - c >= 0) {
            const angle = mu! + (random() < 0.5 ? -1 : 1) * Math.acos(Math.min(1, Math.max(-1, f)))
            return angle - 2 * Math.PI * Math.floor((angle + Math.PI) / (2 * Math.PI))
          }
        }
      }
    },
  },
  wald: {
    parameters: ['mean', 'scale'],
    check: positive('mean', 'scale'),
    // Michael, Schucany and Haas 1976, "Generating random variates using transformations with multiple roots".
    sampler: (random, mean, scale) => {
      const normal = randomNormal.source(random)()
      return () => {
        const y = mean! * normal() ** 2
        const x = mean! + (mean! / (2 * scale!)) * (y - Math.sqrt(4 * scale! * y + y * y))
        return random() <= mean! / (mean! + x) ? x : mean! ** 2 / x
      }
    },
  },
  weibull: {
    parameters: ['a'],
    check: positive('a'),
    sampler: (random, a) => () => (-Math.log(inside(random))) ** (1 / a!),
  },
  zipf: {
    parameters: ['a'],
    check: (a) => !(a! > 1) && 'a must be greater than 1',
    // Devroye 1986, "Non-Uniform Random Variate Generation", chapter X.6.1.
    sampler: (random, a) => {
      const b = 2 ** (a! - 1)
      return () => {
        for (;;) {
          const x = Math.floor(inside(random) ** (-1 / (a! - 1)))
          if (!Number.isSafeInteger(x) || x < 1) continue
          const t = (1 + 1 / x) ** (a! - 1)
          if ((random() * x * (t - 1)) / (b - 1) <= t / b) return x
        }
      }
    },
  },
}

/** A number in (0, 1): for what takes its logarithm. */
function inside(random: Random): number {
  for (;;) {
    const u = random()
    if (u > 0) return u
  }
}

/**
 * A generator whose whole sequence is given by a text, so that every parameter of a search has one of its own and another
 * parameter beside it changes nothing. The text is hashed by FNV-1a; the generator is xoshiro128** with splitmix32 for
 * its start (Blackman and Vigna 2018, "Scrambled linear pseudorandom number generators"). 53 bits a number.
 */
export function seededRandom(seed: string): Random {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(seed)) hash = Math.imul(hash ^ byte, 0x01000193)
  const next32 = () => {
    hash = (hash + 0x9e3779b9) | 0
    let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    return (mixed ^ (mixed >>> 16)) >>> 0
  }
  let [a, b, c, d] = [next32(), next32(), next32(), next32()]
  const turn = (value: number, by: number) => (value << by) | (value >>> (32 - by))
  const step = () => {
    const result = Math.imul(turn(Math.imul(b, 5), 7), 9) >>> 0
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = turn(d, 11)
    return result
  }
  return () => ((step() >>> 5) * 0x4000000 + (step() >>> 6)) / 0x20000000000000
}
