import { describe, expect, it } from 'vitest'
import { distributions, seededRandom } from './distributions.ts'
import { GridError } from './errors.ts'
import { parseSearchSpace, searchExperiments } from './search-space.ts'

const grid = (...scriptArguments: string[]) =>
  searchExperiments(scriptArguments, { strategy: 'grid_search' }).experiments.map((one) =>
    one.arguments.join(' '),
  )
const valuesOf = (text: string, seed = 0) => parseSearchSpace(['--x', text], seed).parameters[0]?.values

function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (error instanceof GridError) return `${error.message} | ${error.details.hint}`
    throw error
  }
  throw new Error('was not refused')
}

describe('what is refused, with its place', () => {
  it.each([
    ["['resnet18' 'transformer', 'resnet50']", 'A comma is missing at character 13'],
    ['[1, 2', 'The list does not end at character 6'],
    ['[1, 2]3', 'The list has ended, and more follows at character 7'],
    ['[]', 'The list is empty'],
    ['[,1]', 'A value is missing at character 2'],
    ["['a, 'b']", 'A comma is missing at character 7'],
    ['["a', 'The text does not end at character 2'],
    ['[__import__("os").system("true")]', 'A comma is missing at character 12'],
    ['[x for x in range(3)]', 'A comma is missing at character 4'],
    ['range(0)', 'range(0) holds no value'],
    ['range(1, 2, 0)', 'is not a range'],
    ['range(0.5)', 'is not a range'],
    ['range(a)', 'needs numbers, and holds "a"'],
    ['range(1000000)', 'holds 1,000,000 values'],
    ['uniform(0, 1)', 'does not have the form uniform(low, high, count)'],
    ['uniform(1, 0, 3)', 'low must not be above high'],
    ['uniform(0, 1, 0)', 'would draw 0 values'],
    ['uniform(0, 1, 1e9)', 'would draw 1000000000 values'],
    ['normal(0, 1e999, 3)', 'a number is too large'],
    ['loguniform(0, 1, 3)', 'both ends must be greater than 0'],
  ])('%s', (text, says) => {
    expect(refusal(() => valuesOf(text))).toContain(says)
  })

  it('a grid that nobody means, and a random search without a number', () => {
    const hundred = 'range(100)'
    expect(refusal(() => grid(hundred, hundred, hundred))).toContain('1,000,000 experiments')
    expect(refusal(() => searchExperiments([], { strategy: 'random_search' }))).toContain('--num_trials')
  })
})

describe('the forms of an argument', () => {
  it.each([
    ['[1, 2]', ['1', '2']],
    ['[0.10, 1e-4,]', ['0.10', '1e-4']],
    ["['a', 'b c']", ['a', 'b c']],
    ["[\"it's\", 'x\\ny', '\\d']", ["it's", 'x\ny', '\\d']],
    ['[True, False, None]', ['True', 'False', 'None']],
    ['[adam, sgd]', ['adam', 'sgd']],
    ['[[1, 2], [3]]', ['[1, 2]', '[3]']],
    ['range(1, 10, 2)', ['1', '3', '5', '7', '9']],
    ['range(3)', ['0', '1', '2']],
    ['range(3, 0, -1)', ['3', '2', '1']],
  ])('%s', (text, values) => {
    expect(valuesOf(text)).toEqual(values)
  })

  it.each(['0.01', '1e-2', 'bert', "'bert'", '--flag', 'a[0]', 'model(1).pt', ''])(
    'leaves %j as it is, silently',
    (text) => {
      const space = parseSearchSpace(['--x', text])
      expect([space.parameters, space.warnings]).toEqual([[], []])
    },
  )

  it('warns of a tuple and of an unknown function, and passes them', () => {
    const { parameters, warnings } = parseSearchSpace(['--x', '(10, 100, 20)', '--y', 'cosine(1, 2)'])
    expect(parameters).toEqual([])
    expect(warnings[0]).toContain('"range(10, 100, 20)"')
    expect(warnings[1]).toContain('cosine')
  })

  it('names a parameter by the flag before it, also when glued or repeated', () => {
    const { parameters } = parseSearchSpace([
      '[1]',
      '--lr=[1, 2]',
      '-b',
      '[3]',
      '--layers',
      '[1]',
      '[2]',
      '--',
      '[9]',
    ])
    expect(parameters.map(({ name, prefix }) => [name, prefix])).toEqual([
      ['arg1', ''],
      ['lr', '--lr='],
      ['b', ''],
      ['layers', ''],
      ['layers.2', ''],
      ['arg2', ''],
    ])
  })
})

describe('strategies', () => {
  it('a grid changes the last parameter fastest and keeps toggles and plain values', () => {
    expect(grid('--lr', '[0.1, 0.01]', '--amp', '--opt=[a, b]', '-n', '3')).toEqual([
      '--lr 0.1 --amp --opt=a -n 3',
      '--lr 0.1 --amp --opt=b -n 3',
      '--lr 0.01 --amp --opt=a -n 3',
      '--lr 0.01 --amp --opt=b -n 3',
    ])
  })

  it('without a list there is one experiment', () => {
    expect(grid('--lr', '0.1')).toEqual(['--lr 0.1'])
  })

  it('none leaves every text untouched', () => {
    const { experiments } = searchExperiments(['--x', '[1, 2', '+db=[a,b]'], { strategy: 'none' })
    expect(experiments).toEqual([{ arguments: ['--x', '[1, 2', '+db=[a,b]'], values: {} }])
  })

  it('a random search draws different combinations, the same ones for the same seed', () => {
    const draw = (seed: number, trials = 50) =>
      searchExperiments(['--a', 'range(10)', '--b', '[x, y, z, x]'], {
        strategy: 'random_search',
        trials,
        seed,
      })
    const { experiments, warnings } = draw(1, 20)
    expect(new Set(experiments.map((one) => one.arguments.join(' '))).size).toBe(20)
    expect(draw(1, 20).experiments).toEqual(experiments)
    expect(draw(2, 20).experiments).not.toEqual(experiments)
    expect(warnings).toEqual([])
    expect(draw(1).experiments).toHaveLength(30)
    expect(draw(1).warnings).toEqual([
      'There are only 30 different combinations: all of them run, instead of 50.',
    ])
  })

  it('draws from a space far too large to be written down', () => {
    const axes = Array.from({ length: 4 }, (_, index) => [`--p${index}`, 'range(1000)']).flat()
    const { experiments } = searchExperiments(axes, { strategy: 'random_search', trials: 100 })
    expect(new Set(experiments.map((one) => one.arguments.join())).size).toBe(100)
    for (const { values } of experiments) expect(Number(values['p3'])).toBeLessThan(1000)
  })

  it('draws every value of a parameter equally often', () => {
    const counts = new Map<string, number>()
    for (let seed = 0; seed < 600; seed++) {
      const options = { strategy: 'random_search', trials: 2, seed } as const
      for (const { values } of searchExperiments(['--x', 'range(6)'], options).experiments) {
        counts.set(values['x']!, (counts.get(values['x']!) ?? 0) + 1)
      }
    }
    for (const count of counts.values()) expect(Math.abs(count - 200)).toBeLessThan(60)
  })
})

describe('samples', () => {
  it('are the same for the same seed and name, whatever stands beside them', () => {
    const alone = parseSearchSpace(['--lr', 'uniform(1e-5, 1e-1, 3)'], 7).parameters[0]!.values
    const beside = parseSearchSpace(
      ['--wd', 'uniform(0, 1, 9)', '--lr', 'np.random.uniform(1e-5, 1e-1, 3)'],
      7,
    )
    expect(beside.parameters[1]!.values).toEqual(alone)
    expect(alone).toHaveLength(3)
    expect(valuesOf('uniform(0, 1, 3)', 1)).not.toEqual(valuesOf('uniform(0, 1, 3)', 2))
  })

  // Means and variances as the reference of numpy.random gives them.
  const euler = 0.5772156649
  const cases: [string, number[], number, number][] = [
    ['uniform', [2, 6], 4, 16 / 12],
    ['randint', [0, 10], 4.5, 8.25],
    ['normal', [3, 2], 3, 4],
    ['lognormal', [0, 0.5], Math.exp(0.125), (Math.exp(0.25) - 1) * Math.exp(0.25)],
    ['beta', [2, 3], 0.4, 0.04],
    ['binomial', [20, 0.3], 6, 4.2],
    ['chisquare', [4], 4, 8],
    ['exponential', [2], 2, 4],
    ['f', [5, 12], 1.2, (2 * 144 * 15) / (5 * 100 * 8)],
    ['gamma', [3, 2], 6, 12],
    ['geometric', [0.25], 4, 12],
    ['gumbel', [1, 2], 1 + 2 * euler, (Math.PI ** 2 / 6) * 4],
    ['hypergeometric', [10, 20, 9], 3, 9 * (1 / 3) * (2 / 3) * (21 / 29)],
    ['laplace', [1, 2], 1, 8],
    ['logistic', [1, 2], 1, (4 * Math.PI ** 2) / 3],
    [
      'logseries',
      [0.6],
      (-1 / Math.log(0.4)) * 1.5,
      (-0.6 * (0.6 + Math.log(0.4))) / (0.16 * Math.log(0.4) ** 2),
    ],
    ['negative_binomial', [5, 0.5], 5, 10],
    ['noncentral_chisquare', [3, 2], 5, 14],
    ['pareto', [5], 0.25, 5 / (16 * 3)],
    ['poisson', [4], 4, 4],
    ['power', [3], 0.75, 3 / (16 * 5)],
    ['rayleigh', [2], 2 * Math.sqrt(Math.PI / 2), ((4 - Math.PI) / 2) * 4],
    ['standard_exponential', [], 1, 1],
    ['standard_normal', [], 0, 1],
    ['standard_gamma', [3], 3, 3],
    ['standard_t', [6], 0, 1.5],
    ['triangular', [0, 1, 5], 2, (0 + 1 + 25 - 0 - 0 - 5) / 18],
    ['wald', [2, 8], 2, 1],
    ['weibull', [2], Math.sqrt(Math.PI) / 2, 1 - Math.PI / 4],
    ['zipf', [5], 1.082323 / 1.036928, 1.202057 / 1.036928 - (1.082323 / 1.036928) ** 2],
  ]

  it.each(cases)('%s(%j) has its mean and variance', (name, parameters, mean, variance) => {
    const draw = distributions[name]!.sampler(seededRandom(`test/${name}`), ...parameters)
    const values = Array.from({ length: 60_000 }, () => draw())
    const seen = values.reduce((sum, value) => sum + value, 0) / values.length
    const spread = values.reduce((sum, value) => sum + (value - seen) ** 2, 0) / values.length
    expect(Math.abs(seen - mean)).toBeLessThan(0.03 * Math.sqrt(variance))
    expect(Math.abs(spread / variance - 1)).toBeLessThan(0.15)
  })

  it('standard_cauchy has its quartiles, vonmises its concentration, loguniform its ends', () => {
    const draw = (name: string, ...parameters: number[]) => {
      const next = distributions[name]!.sampler(seededRandom(name), ...parameters)
      return Array.from({ length: 40_000 }, () => next())
    }
    const below = (values: number[], limit: number) =>
      values.filter((value) => value < limit).length / values.length
    expect(below(draw('standard_cauchy'), 1)).toBeCloseTo(0.75, 1)
    // The mean of the cosine is I1(kappa) / I0(kappa): 0.6978 for kappa 2.
    const cosine = draw('vonmises', 0, 2).reduce((sum, angle) => sum + Math.cos(angle), 0) / 40_000
    expect(cosine).toBeCloseTo(0.6978, 1)
    const rates = draw('loguniform', 1e-5, 1e-1)
    expect(below(rates, 1e-3)).toBeCloseTo(0.5, 1)
    expect(rates.every((rate) => rate >= 1e-5 && rate <= 1e-1)).toBe(true)
  })

  it('know every name that the documentation promises', () => {
    const tested = [...cases.map(([name]) => name), 'standard_cauchy', 'vonmises', 'loguniform']
    expect(Object.keys(distributions).toSorted()).toEqual(tested.toSorted())
  })
})
