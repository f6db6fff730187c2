/** Search against functions whose best value is known: it must find it, and sooner than chance does. */
import { expect, test } from 'vitest'
import { suggest, type Trial } from './bayes.ts'
import { fitGaussianProcess } from './gaussian-process.ts'
import { toStop } from './hyperband.ts'
import { createParameter, drawValues, type Parameter, type Values } from './parameters.ts'
import { createRandom } from './random.ts'

const uniform = (name: string, min: number, max: number) =>
  createParameter([name], { distribution: 'uniform', min, max })

type Problem = { parameters: Parameter[]; loss: (values: Values) => number; best: number }

/** Branin and Hoo; its three minima are 0.397887. */
const branin: Problem = {
  parameters: [uniform('x', -5, 10), uniform('y', 0, 15)],
  loss: ({ x, y }) =>
    ((y as number) - (5.1 / (4 * Math.PI ** 2)) * (x as number) ** 2 + (5 / Math.PI) * (x as number) - 6) **
      2 +
    10 * (1 - 1 / (8 * Math.PI)) * Math.cos(x as number) +
    10,
  best: 0.397887,
}
/** Gramacy and Lee, 2012: many valleys in one dimension; the deepest is −0.869011 at 0.548563. */
const valleys: Problem = {
  parameters: [uniform('x', 0.5, 2.5)],
  loss: ({ x }) => Math.sin(10 * Math.PI * (x as number)) / (2 * (x as number)) + ((x as number) - 1) ** 4,
  best: -0.869011,
}
/** A choice, a whole number and a learning rate on its own scale, one nested; 0 at (b, 7, 0.01). */
const mixed: Problem = {
  parameters: [
    createParameter(['kind'], { distribution: 'categorical', values: ['a', 'b', 'c'] }),
    createParameter(['net', 'layers'], { distribution: 'int_uniform', min: 1, max: 20 }),
    createParameter(['lr'], { distribution: 'log_uniform_values', min: 1e-5, max: 1 }),
    createParameter(['epochs'], { distribution: 'constant', value: 5 }),
  ],
  loss: ({ kind, net, lr }) =>
    (kind === 'b' ? 0 : 1) +
    (((net as { layers: number }).layers - 7) / 8) ** 2 +
    (Math.log10(lr as number) + 2) ** 2 / 2,
  best: 0,
}

function searched({ parameters, loss }: Problem, budget: number, seed: number): Trial[] {
  const trials: Trial[] = []
  for (let number = 0; number < budget; number++) {
    const values = suggest(parameters, trials, seed, number)
    trials.push({ values, loss: loss(values) })
  }
  return trials
}
const regret = (problem: Problem, trials: Trial[]) =>
  Math.min(...trials.map((trial) => trial.loss!)) - problem.best
const chance = (problem: Problem, budget: number, seed: number) =>
  regret(
    problem,
    Array.from({ length: budget }, (_, number) => {
      const values = drawValues(problem.parameters, createRandom(seed, number))
      return { values, loss: problem.loss(values) }
    }),
  )
const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
const seeds = [1, 2, 3]

test.each([
  { name: 'Branin', problem: branin, budget: 30, within: 0.1 },
  { name: 'many valleys', problem: valleys, budget: 25, within: 0.02 },
  { name: 'choices and whole numbers', problem: mixed, budget: 30, within: 0.1 },
])('$name: the model finds the optimum, and is far ahead of chance', ({ problem, budget, within }) => {
  const model = seeds.map((seed) => regret(problem, searched(problem, budget, seed)))
  const random = Array.from({ length: 25 }, (_, seed) => chance(problem, budget, seed))
  expect(median(model)).toBeLessThan(within)
  expect(median(model)).toBeLessThan(median(random) / 2)
})

test('several at once go to different places', () => {
  const trials = searched(branin, 10, 5)
  for (let number = 10; number < 16; number++)
    trials.push({ values: suggest(branin.parameters, trials, 5, number), loss: null })
  const open = trials.slice(10).map(({ values }) => [values.x, values.y].join(' '))
  expect(new Set(open).size).toBe(6)
})

test('a search can be repeated: the same seed and results give the same values', () => {
  expect(searched(mixed, 12, 9)).toEqual(searched(mixed, 12, 9))
})

test('results that exploded or cannot be placed do not stop the search', () => {
  const trials = searched(branin, 12, 2)
  trials.push(
    { values: { x: 0, y: 0 }, loss: 1e300 },
    { values: { z: 1 }, loss: 3 },
    { values: {}, loss: NaN },
  )
  const { x, y } = suggest(branin.parameters, trials, 2, 15) as { x: number; y: number }
  expect(x).toBeGreaterThanOrEqual(-5)
  expect(y).toBeLessThanOrEqual(15)
})

test('in a space of few values none is tried twice before all are', () => {
  const parameters = [createParameter(['n'], { distribution: 'int_uniform', min: 1, max: 12 })]
  const trials: Trial[] = []
  for (let number = 0; number < 12; number++) {
    const values = suggest(parameters, trials, 4, number)
    trials.push({ values, loss: ((values.n as number) - 9) ** 2 })
  }
  const afterStart = trials.slice(4).map(({ values }) => values.n)
  expect(new Set(afterStart).size).toBe(afterStart.length)
  expect(trials.some(({ values }) => values.n === 9)).toBe(true)
})

test('a fitted process goes through what was measured and is unsure far from it', () => {
  const points = [[0], [0.1], [0.2], [0.3], [0.4]]
  const model = fitGaussianProcess(
    points,
    points.map(([x]) => Math.sin(6 * x!)),
  )
  expect(model.predict([0.2]).mean).toBeCloseTo(Math.sin(1.2), 2)
  expect(model.predict([0.25]).mean).toBeCloseTo(Math.sin(1.5), 1)
  expect(model.predict([1]).deviation).toBeGreaterThan(10 * model.predict([0.2]).deviation)
})

const rule = { bands: [2, 4], eta: 2, strict: false }
const course = (experimentId: string, values: number[], isRunning = true) => ({
  experimentId,
  values,
  isRunning,
})

test('hyperband stops what is outside the best 1/eta of those that came as far', () => {
  // The example in the documentation of wandb/sweeps.
  const courses = [
    course('a', [10, 9], false),
    course('b', [10, 10]),
    course('c', [10, 8, 8]),
    course('d', [10, 7, 7]),
    course('e', [10, 6, 6], false),
  ]
  expect(toStop(rule, 'minimize', courses)).toEqual(['b'])
  expect(
    toStop(
      rule,
      'maximize',
      courses.map((each) => ({ ...each, values: each.values.map((value) => -value) })),
    ),
  ).toEqual(['b'])
})

test('hyperband spares what was better before, unless it is strict', () => {
  const courses = [course('a', [1, 1, 1, 1]), course('b', [5, 3, 0.5, 9]), course('c', [2, 2, 2, 2])]
  expect(toStop(rule, 'minimize', courses)).toEqual([])
  expect(toStop({ ...rule, strict: true }, 'minimize', courses)).toEqual(['b'])
})

test('hyperband leaves alone what has not come to a band, and the only one there', () => {
  expect(toStop(rule, 'minimize', [course('a', [9]), course('b', [1, 1, 1, 1])])).toEqual([])
})

test('hyperband judges one that is far ahead by the last band that others have reached', () => {
  const far = course(
    'far',
    Array.from({ length: 50 }, () => 9),
  )
  const others = [course('a', [1, 1], false), course('b', [2, 2], false)]
  expect(toStop({ ...rule, bands: [2, 4, 8, 16] }, 'minimize', [far, ...others])).toEqual(['far'])
})
