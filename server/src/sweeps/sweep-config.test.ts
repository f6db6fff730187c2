import { GridError } from '@teamgrid/api'
import { describe, expect, test } from 'vitest'
import { expectedCount, parseConfigText, readConfig } from './sweep-config.ts'

const read = (text: string) => readConfig(parseConfigText(text))

describe('what cannot be carried out is refused with the name of its key', () => {
  test.each([
    ['', /not a mapping/],
    ['- a', /not a mapping/],
    ['method: [', /not YAML/],
    ['parameters: {a: {value: 1}}', /"method" is missing/],
    ['method: anneal', /method is "anneal"; it can be grid, random, bayes/],
    ['method: random', /"parameters" is missing/],
    ['{method: random, parameters: {}}', /parameters is empty/],
    ['{method: random, parameters: {lr: 0.1}}', /parameters\.lr is 0\.1; write "lr: \{value: 0\.1\}"/],
    ['{method: random, parameters: {lr: {}}}', /parameters\.lr says nothing to try/],
    ['{method: random, parameters: {lr: {min: 1}}}', /parameters\.lr\.max is missing/],
    [
      '{method: random, parameters: {lr: {min: 2, max: 1}}}',
      /parameters\.lr\.min is 2, above parameters\.lr\.max/,
    ],
    [
      '{method: random, parameters: {lr: {min: "1e-3", max: 1.0}}}',
      /parameters\.lr\.min is "1e-3".*YAML takes it for text; write 0\.001/,
    ],
    [
      '{method: random, parameters: {o: {parameters: {lr: {values: []}}}}}',
      /parameters\.o\.lr\.values must be a list/,
    ],
    [
      '{method: random, parameters: {a: {distribution: zipf}}}',
      /parameters\.a\.distribution is "zipf"; it can be constant, /,
    ],
    [
      '{method: random, parameters: {a: {distribution: uniform, min: 1}}}',
      /parameters\.a\.max is missing: uniform needs min and max/,
    ],
    [
      '{method: random, parameters: {a: {distribution: log_uniform_values, min: 0, max: 1}}}',
      /parameters\.a\.min is 0; log_uniform_values needs one above 0/,
    ],
    [
      '{method: random, parameters: {a: {distribution: log_uniform, min: 1, max: 1000}}}',
      /you may mean log_uniform_values/,
    ],
    [
      '{method: random, parameters: {a: {distribution: int_uniform, min: 1, max: 2.5}}}',
      /whole numbers for int_uniform/,
    ],
    ['{method: random, parameters: {a: {distribution: q_normal, q: 0}}}', /parameters\.a\.q is 0/],
    ['{method: random, parameters: {a: {distribution: normal, sigma: -1}}}', /parameters\.a\.sigma is -1/],
    [
      '{method: random, parameters: {a: {values: [1, 2], probabilities: [0.5]}}}',
      /probabilities has 1 entries for 2 values/,
    ],
    [
      '{method: random, parameters: {a: {values: [1, 2], probabilities: [0.5, 0.4]}}}',
      /probabilities sum to 0\.9 and not to 1/,
    ],
    [
      '{method: grid, parameters: {a: {min: 0.0, max: 1.5}}}',
      /parameters\.a is uniform.*method: grid tries each/,
    ],
    ['{method: bayes, parameters: {a: {min: 0, max: 1}}}', /bayes needs the key "metric"/],
    ['{method: custom, parameters: {a: {value: 1}}}', /controller: \{type: local\}/],
    ['{method: random, metric: {goal: minimize}, parameters: {a: {value: 1}}}', /metric\.name is missing/],
    [
      '{method: random, metric: {name: x, goal: minimise}, parameters: {a: {value: 1}}}',
      /metric\.goal is "minimise"/,
    ],
    ['{method: random, run_cap: 0, parameters: {a: {value: 1}}}', /run_cap is 0/],
    ['{method: random, run_cap: 1.5, parameters: {a: {value: 1}}}', /run_cap is 1\.5/],
    [
      '{method: random, early_terminate: {type: hyperband, min_iter: 3}, parameters: {a: {value: 1}}}',
      /early_terminate needs the key "metric"/,
    ],
    [
      '{method: random, metric: {name: x}, early_terminate: {type: median}, parameters: {a: {value: 1}}}',
      /early_terminate\.type is "median"/,
    ],
    [
      '{method: random, metric: {name: x}, early_terminate: {type: hyperband, s: 2}, parameters: {a: {value: 1}}}',
      /either "min_iter", or "max_iter" and "s"/,
    ],
    [
      '{method: random, metric: {name: x}, early_terminate: {type: hyperband, min_iter: 1, eta: 1}, parameters: {a: {value: 1}}}',
      /eta is 1; it must be above 1/,
    ],
    [
      '{method: random, controller: {type: remote}, parameters: {a: {value: 1}}}',
      /controller\.type is "remote"/,
    ],
  ])('%s', (text, sentence) => {
    expect(() => read(text)).toThrow(GridError)
    expect(() => read(text)).toThrow(sentence)
  })

  test('a file of aliases that would grow beyond all bounds', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
    for (let level = 1; level < 12; level++)
      lines.push(
        `a${level}: &a${level} [${Array(10)
          .fill(`*a${level - 1}`)
          .join(', ')}]`,
      )
    expect(() => parseConfigText(lines.join('\n'))).toThrow(/not YAML/)
  })
})

test('what the client writes is understood, nested parameters and all', () => {
  const { config, warnings } = read(`
command: ['\${env}', python, '\${program}', '\${args}']
early_terminate: {type: hyperband, max_iter: 27, s: 2}
method: bayes
metric: {name: val/loss, goal: maximize, target: 0.9}
name: my sweep
program: train.py
run_cap: 20
parameters:
  batch: {distribution: q_log_uniform_values, max: 256, min: 32, q: 8}
  epochs: {value: 3}
  optimizer:
    parameters:
      name: {values: [adam, sgd]}
      lr: {distribution: log_uniform_values, min: 0.0001, max: 0.1}
`)
  expect(warnings).toEqual([])
  expect(config.parameters.map(({ name, distribution }) => `${name} ${distribution}`)).toEqual([
    'batch q_log_uniform_values',
    'epochs constant',
    'optimizer.name categorical',
    'optimizer.lr log_uniform_values',
  ])
  expect(config.metric).toMatchObject({ name: 'val/loss', goal: 'maximize', target: 0.9 })
  expect(config.hyperband).toEqual({ bands: [3, 9], eta: 3, strict: false })
  expect(expectedCount(config)).toBe(20)
})

test('y and n are names, as the client writes and reads them, and the words for truth are truths', () => {
  const text = 'parameters:\n  n:\n    values: [1]\n  y:\n    values: [y, yes, off, True, 1.0e-4]\n'
  expect(parseConfigText(text)).toEqual({
    parameters: { n: { values: [1] }, y: { values: ['y', true, false, true, 0.0001] } },
  })
})

test('what only looks like a mistake is a warning that names the key', () => {
  const { warnings } = read('{method: random, metod: grid, parameters: {lr: {min: 1, max: 2, step: 3}}}')
  expect(warnings).toEqual([
    '"metod" is not a key of a sweep\'s configuration and has no effect',
    '"step" means nothing in parameters.lr and has no effect',
  ])
})

test('a grid knows how many experiments it will have; others only by their cap', () => {
  const grid = 'method: grid\nparameters: {a: {values: [1, 2, 2]}, b: {min: 1, max: 5}, c: {value: x}'
  expect(expectedCount(read(`${grid}}`).config)).toBe(10)
  expect(expectedCount(read(`${grid}}\nrun_cap: 4`).config)).toBe(4)
  expect(expectedCount(read('{method: random, parameters: {a: {min: 0.5, max: 1}}}').config)).toBeNull()
})

test('the bands of hyperband follow from its first or its last iteration', () => {
  const bands = (rule: string) =>
    read(
      `{method: random, metric: {name: x}, early_terminate: {type: hyperband, ${rule}}, parameters: {a: {value: 1}}}`,
    ).config.hyperband!.bands
  expect(bands('min_iter: 3').slice(0, 4)).toEqual([3, 9, 27, 81])
  expect(bands('min_iter: 1, eta: 2').slice(0, 4)).toEqual([1, 2, 4, 8])
  expect(bands('max_iter: 18, s: 2, eta: 3')).toEqual([2, 6])
})
