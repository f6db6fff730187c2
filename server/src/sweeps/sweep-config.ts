/**
 * A sweep's configuration: the YAML (or JSON) that people write, checked and turned into what the search needs. What
 * cannot be carried out is refused with the name of its key; what only looks like a mistake is a warning.
 * Source: `src/sweeps/config/schema.json` of the repository wandb/sweeps, and docs.wandb.ai “Sweep configuration”.
 */
import { GridError } from '@teamgrid/api'
import { parse, type Tags } from 'yaml'
import { isJsonObject } from '../lib/tolerant-json.ts'
import { createGrid } from './grid.ts'
import { createParameter, type Parameter, type ParameterSpec, valuesMax } from './parameters.ts'

export type Method = 'grid' | 'random' | 'bayes' | 'custom'
export type Goal = 'minimize' | 'maximize'
export type Impute = 'worst' | 'best' | 'latest'

export type Metric = {
  name: string
  goal: Goal
  /** The sweep ends once an experiment is this good. */
  target: number | null
  /** What stands for an experiment that failed, in a search by a model. */
  impute: Impute
  /** What stands for one that still runs; null: what the model expects of it. */
  imputeWhileRunning: Impute | null
}

export type Hyperband = {
  /** After how many logged values of the metric experiments are compared, ascending. */
  bands: number[]
  eta: number
  /** Compare the value at the band instead of the best so far. */
  strict: boolean
}

export type SweepConfig = {
  method: Method
  metric: Metric | null
  parameters: Parameter[]
  runCap: number | null
  hyperband: Hyperband | null
  /** Somebody else decides what is tried next: `wandb controller`, or a scheduler of the client. */
  isLocal: boolean
  name: string | null
  description: string | null
  program: string | null
}

export const configBytesMax = 1_000_000
const parametersMax = 1000
const depthMax = 16
const bandsMax = 100

const methods: readonly string[] = ['grid', 'random', 'bayes', 'custom']
const imputes: readonly string[] = ['worst', 'best', 'latest']
const topKeys = new Set(
  'apiVersion kind controller description program job image_uri entity project method command name run_cap metric metrics scheduler early_terminate parameters settings'.split(
    ' ',
  ),
)

/** What each distribution needs and may have besides its name. */
const shapes: Record<string, { needs: string[]; may: string[] }> = {
  constant: { needs: ['value'], may: [] },
  categorical: { needs: ['values'], may: ['probabilities'] },
  categorical_w_probabilities: { needs: ['values', 'probabilities'], may: [] },
  int_uniform: { needs: ['min', 'max'], may: [] },
  uniform: { needs: ['min', 'max'], may: [] },
  q_uniform: { needs: ['min', 'max'], may: ['q'] },
  log_uniform: { needs: ['min', 'max'], may: [] },
  log_uniform_values: { needs: ['min', 'max'], may: [] },
  q_log_uniform: { needs: ['min', 'max'], may: ['q'] },
  q_log_uniform_values: { needs: ['min', 'max'], may: ['q'] },
  inv_log_uniform: { needs: ['min', 'max'], may: [] },
  inv_log_uniform_values: { needs: ['min', 'max'], may: [] },
  normal: { needs: [], may: ['mu', 'sigma'] },
  q_normal: { needs: [], may: ['mu', 'sigma', 'q'] },
  log_normal: { needs: [], may: ['mu', 'sigma'] },
  q_log_normal: { needs: [], may: ['mu', 'sigma', 'q'] },
  beta: { needs: [], may: ['a', 'b'] },
  q_beta: { needs: [], may: ['a', 'b', 'q'] },
}

/** YAML 1.1 calls a plain `y` and `n` truths; Python's writer and reader do not, and a parameter may be called so. */
function asPython(tags: Tags): Tags {
  return tags.map((tag) => {
    if (typeof tag !== 'object' || tag.tag !== 'tag:yaml.org,2002:bool' || !('test' in tag) || !tag.test)
      return tag
    return { ...tag, test: new RegExp(`^(?![YyNn]$)(?:${tag.test.source})`) }
  })
}

/** @throws GridError invalid for text that is no YAML mapping. */
export function parseConfigText(text: string): Record<string, unknown> {
  if (Buffer.byteLength(text) > configBytesMax)
    throw new GridError('too_large', `A sweep's configuration may have ${configBytesMax} bytes at most.`)
  let value: unknown
  try {
    // The client writes YAML 1.1; aliases are bounded, or a few lines could grow into gigabytes.
    value = parse(text, { version: '1.1', customTags: asPython, maxAliasCount: 100, logLevel: 'error' })
  } catch (cause) {
    const [line = ''] = cause instanceof Error ? cause.message.split('\n') : []
    throw invalid(`The sweep's configuration is not YAML: ${line.replace(/[:.]$/, '')}`, { cause })
  }
  // What is stored and sent is JSON: dates become text, and nothing stranger survives.
  const plain: unknown = value === undefined ? undefined : JSON.parse(JSON.stringify(value))
  if (!isJsonObject(plain))
    throw invalid('The sweep’s configuration is not a mapping of keys to values, such as "method: random"')
  return plain
}

/**
 * @returns the configuration as the search needs it, and what looks like a mistake but changes nothing.
 * @throws GridError invalid, naming the key.
 */
export function readConfig(raw: Record<string, unknown>): { config: SweepConfig; warnings: string[] } {
  const warnings = Object.keys(raw)
    .filter((key) => !topKeys.has(key))
    .map((key) => `"${key}" is not a key of a sweep's configuration and has no effect`)
  const controller = optionalObject(raw.controller, 'controller')
  if (controller?.type !== undefined && controller.type !== 'local' && controller.type !== 'cloud')
    throw invalid(`controller.type is ${shown(controller.type)}; it can be "local" or "cloud"`)
  const scheduler = optionalObject(raw.scheduler, 'scheduler')
  const isLocal = controller?.type === 'local' || scheduler !== undefined
  const method = methodOf(raw.method)
  if (method === 'custom' && !isLocal)
    throw invalid(
      'method: custom needs somebody who decides: add "controller: {type: local}", or name grid, random or bayes',
    )
  const metric = raw.metric === undefined ? null : metricOf(raw.metric, warnings)
  const parameters = raw.parameters === undefined && isLocal ? [] : parametersOf(raw.parameters, warnings)
  checkMethod(method, metric, parameters, isLocal)
  return {
    warnings,
    config: {
      method,
      metric,
      parameters,
      runCap: runCapOf(raw.run_cap),
      hyperband: hyperbandOf(raw.early_terminate, metric, warnings),
      isLocal,
      name: optionalText(raw.name, 'name'),
      description: optionalText(raw.description, 'description'),
      program: optionalText(raw.program, 'program'),
    },
  }
}

/** How many experiments the sweep will have in all; null when it has no end of its own. */
export function expectedCount({ method, parameters, runCap }: SweepConfig): number | null {
  if (method !== 'grid') return runCap
  const { size } = createGrid(parameters)
  return runCap === null ? size : Math.min(size, runCap)
}

function methodOf(value: unknown): Method {
  if (value === undefined) throw invalid('The key "method" is missing: say grid, random or bayes')
  if (typeof value === 'string' && methods.includes(value)) return value as Method
  throw invalid(`method is ${shown(value)}; it can be grid, random, bayes or custom`)
}

function checkMethod(
  method: Method,
  metric: Metric | null,
  parameters: readonly Parameter[],
  isLocal: boolean,
): void {
  if (isLocal) return
  if (method === 'bayes' && metric === null)
    throw invalid('method: bayes needs the key "metric" with a name: it searches for its best value')
  if (method !== 'grid') return
  for (const { name, distribution, values } of parameters) {
    if (values === null)
      throw invalid(
        `parameters.${name} is ${distribution}, which has endlessly many values, and method: grid tries each: ` +
          'give it "values", or "distribution: q_uniform" with a step "q", or search with random or bayes',
      )
  }
  if (createGrid(parameters).size > Number.MAX_SAFE_INTEGER)
    throw invalid(
      'parameters: this grid has more combinations than can be counted; search with random or bayes',
    )
}

function metricOf(value: unknown, warnings: string[]): Metric {
  if (!isJsonObject(value))
    throw invalid(`metric is ${shown(value)}; write "metric: {name: loss, goal: minimize}"`)
  const { name, goal = 'minimize', target, impute = 'worst', impute_while_running: running = 'false' } = value
  warnOfOthers(value, ['name', 'goal', 'target', 'impute', 'impute_while_running'], 'metric', warnings)
  if (typeof name !== 'string' || name === '')
    throw invalid('metric.name is missing: name what the script logs')
  if (goal !== 'minimize' && goal !== 'maximize')
    throw invalid(`metric.goal is ${shown(goal)}; it can be minimize or maximize`)
  if (target !== undefined && target !== null && !isNumber(target))
    throw invalid(`metric.target is ${shown(target)}; it must be a number`)
  if (!imputes.includes(impute as string))
    throw invalid(`metric.impute is ${shown(impute)}; it can be worst, best or latest`)
  if (!imputes.includes(running as string) && running !== 'false' && running !== false)
    throw invalid(`metric.impute_while_running is ${shown(running)}; it can be worst, best, latest or false`)
  return {
    name,
    goal,
    target: isNumber(target) ? target : null,
    impute: impute as Impute,
    imputeWhileRunning: imputes.includes(running as string) ? (running as Impute) : null,
  }
}

function runCapOf(value: unknown): number | null {
  if (value === undefined || value === null) return null
  if (!isNumber(value) || !Number.isInteger(value) || value < 1)
    throw invalid(`run_cap is ${shown(value)}; it must be a whole number above 0`)
  return value
}

function hyperbandOf(value: unknown, metric: Metric | null, warnings: string[]): Hyperband | null {
  if (value === undefined || value === null) return null
  if (!isJsonObject(value))
    throw invalid(
      `early_terminate is ${shown(value)}; write "early_terminate: {type: hyperband, min_iter: 3}"`,
    )
  const { type, min_iter: minIter, max_iter: maxIter, s, eta = 3, strict = false } = value
  // A controller on the user's machine may stop by a rule of its own.
  if (type === 'custom') return null
  if (type !== 'hyperband') throw invalid(`early_terminate.type is ${shown(type)}; it can be hyperband`)
  warnOfOthers(value, ['type', 'min_iter', 'max_iter', 's', 'eta', 'strict'], 'early_terminate', warnings)
  if (metric === null)
    throw invalid('early_terminate needs the key "metric": it stops what is worse than the others')
  if (!isNumber(eta) || eta <= 1) throw invalid(`early_terminate.eta is ${shown(eta)}; it must be above 1`)
  if (typeof strict !== 'boolean')
    throw invalid(`early_terminate.strict is ${shown(strict)}; it can be true or false`)
  const whole = (name: string, each: unknown) => {
    if (!isNumber(each) || !Number.isInteger(each) || each < 1)
      throw invalid(`early_terminate.${name} is ${shown(each)}; it must be a whole number above 0`)
    return each
  }
  if (minIter === undefined && (maxIter === undefined || s === undefined))
    throw invalid('early_terminate needs either "min_iter", or "max_iter" and "s"')
  const bands =
    maxIter !== undefined && s !== undefined
      ? bandsDown(whole('max_iter', maxIter), whole('s', s), eta)
      : bandsUp(whole('min_iter', minIter), eta)
  if (bands.length === 0)
    throw invalid('early_terminate compares at no point at all: raise "max_iter", or lower "eta"')
  return { bands, eta, strict }
}

/** max_iter/eta, max_iter/eta², … as far as s brackets go. */
function bandsDown(maxIter: number, brackets: number, eta: number): number[] {
  const bands = new Set<number>()
  for (let bracket = 1, band = maxIter / eta; bracket <= brackets && band >= 1; bracket++, band /= eta)
    bands.add(Math.floor(band))
  return [...bands].toReversed()
}

/** min_iter, min_iter·eta, min_iter·eta², … */
function bandsUp(minIter: number, eta: number): number[] {
  const bands = new Set<number>()
  for (let band = minIter; bands.size < bandsMax && band < 2 ** 32; band *= eta) bands.add(Math.floor(band))
  return [...bands]
}

function parametersOf(value: unknown, warnings: string[]): Parameter[] {
  if (value === undefined) throw invalid('The key "parameters" is missing: name what is to be tried')
  if (!isJsonObject(value) || Object.keys(value).length === 0)
    throw invalid('parameters is empty: name at least one, such as "lr: {min: 0.001, max: 0.1}"')
  const found: Parameter[] = []
  collect(value, [], found, warnings)
  if (found.length > parametersMax) throw invalid(`parameters has more than ${parametersMax} entries`)
  return found
}

function collect(
  below: Record<string, unknown>,
  path: string[],
  found: Parameter[],
  warnings: string[],
): void {
  for (const [key, spec] of Object.entries(below)) {
    const here = [...path, key]
    const name = `parameters.${here.join('.')}`
    if (key === '' || key === '__proto__') throw invalid(`${name} is no name that a parameter can have`)
    if (!isJsonObject(spec))
      throw invalid(
        `${name} is ${shown(spec)}; write "${key}: {value: ${shown(spec)}}" for one that stays the same`,
      )
    if ('parameters' in spec) {
      if (!isJsonObject(spec.parameters) || here.length > depthMax)
        throw invalid(`${name}.parameters must be a mapping, ${depthMax} levels deep at most`)
      warnOfOthers(spec, ['parameters'], name, warnings)
      collect(spec.parameters, here, found, warnings)
    } else {
      found.push(createParameter(here, specOf(spec, name, warnings)))
    }
  }
}

/** @throws GridError invalid, naming the key. */
function specOf(raw: Record<string, unknown>, name: string, warnings: string[]): ParameterSpec {
  const distribution = distributionOf(raw, name)
  const shape = shapes[distribution]
  if (!shape)
    throw invalid(
      `${name}.distribution is ${shown(distribution)}; it can be ${Object.keys(shapes).join(', ')}`,
    )
  for (const key of shape.needs)
    if (raw[key] === undefined)
      throw invalid(`${name}.${key} is missing: ${distribution} needs ${shape.needs.join(' and ')}`)
  warnOfOthers(raw, [...shape.needs, ...shape.may, 'distribution'], name, warnings)
  const spec: ParameterSpec = { distribution }
  if (distribution === 'constant') return { ...spec, value: raw.value }
  if (distribution.startsWith('categorical')) return { ...spec, ...choicesOf(raw, name) }
  for (const key of ['min', 'max', 'q', 'mu', 'sigma', 'a', 'b'] as const) {
    const value = raw[key]
    if (value === undefined || !(shape.needs.includes(key) || shape.may.includes(key))) continue
    if (!isNumber(value))
      throw invalid(`${name}.${key} is ${shown(value)}; it must be a number${hintOf(value)}`)
    spec[key] = value
  }
  checkRange(spec, name)
  return spec
}

function distributionOf(raw: Record<string, unknown>, name: string): string {
  if (raw.distribution !== undefined)
    return typeof raw.distribution === 'string' ? raw.distribution : shown(raw.distribution)
  if ('value' in raw) return 'constant'
  if ('values' in raw) return 'probabilities' in raw ? 'categorical_w_probabilities' : 'categorical'
  if (raw.min !== undefined && raw.max !== undefined)
    return Number.isInteger(raw.min) && Number.isInteger(raw.max) ? 'int_uniform' : 'uniform'
  const [missing] = ['min', 'max'].filter((key) => raw[key] === undefined)
  if (raw.min !== undefined || raw.max !== undefined) throw invalid(`${name}.${missing} is missing`)
  throw invalid(
    `${name} says nothing to try: give it "value", "values", "min" and "max", or a "distribution"`,
  )
}

function choicesOf(
  raw: Record<string, unknown>,
  name: string,
): Pick<ParameterSpec, 'values' | 'probabilities'> {
  const { values, probabilities } = raw
  if (!Array.isArray(values) || values.length === 0)
    throw invalid(`${name}.values must be a list of at least one value`)
  if (values.length > valuesMax) throw invalid(`${name}.values has more than ${valuesMax} entries`)
  if (probabilities === undefined || probabilities === null) return { values }
  if (!Array.isArray(probabilities) || !probabilities.every((each) => isNumber(each) && each >= 0))
    throw invalid(`${name}.probabilities must be a list of numbers, none below 0`)
  if (probabilities.length !== values.length)
    throw invalid(`${name}.probabilities has ${probabilities.length} entries for ${values.length} values`)
  const sum = (probabilities as number[]).reduce((total, each) => total + each, 0)
  if (Math.abs(sum - 1) > 1e-3)
    throw invalid(`${name}.probabilities sum to ${Number(sum.toPrecision(6))} and not to 1`)
  return { values, probabilities: probabilities as number[] }
}

function checkRange({ distribution, min, max, q, sigma, a, b }: ParameterSpec, name: string): void {
  if (min !== undefined && max !== undefined && min > max)
    throw invalid(`${name}.min is ${min}, above ${name}.max, which is ${max}`)
  if (distribution === 'int_uniform' && !(Number.isSafeInteger(min) && Number.isSafeInteger(max)))
    throw invalid(
      `${name}.min and ${name}.max must be whole numbers for int_uniform; for others say "distribution: uniform"`,
    )
  if (distribution.endsWith('_values') && min! <= 0)
    throw invalid(`${name}.min is ${min}; ${distribution} needs one above 0`)
  if (/^(?:q_|inv_)?log_uniform$/.test(distribution) && Math.max(Math.abs(min!), Math.abs(max!)) > 700)
    throw invalid(
      `${name}: ${distribution} takes the logarithms of its bounds, and e to the ${max} is beyond numbers; ` +
        `you may mean ${distribution}_values`,
    )
  if (q !== undefined && q <= 0) throw invalid(`${name}.q is ${q}; it must be above 0`)
  if (sigma !== undefined && sigma < 0) throw invalid(`${name}.sigma is ${sigma}; it cannot be below 0`)
  for (const [key, value] of [
    ['a', a],
    ['b', b],
  ] as const)
    if (value !== undefined && value <= 0) throw invalid(`${name}.${key} is ${value}; it must be above 0`)
}

function warnOfOthers(
  given: Record<string, unknown>,
  known: string[],
  name: string,
  warnings: string[],
): void {
  for (const key of Object.keys(given))
    if (!known.includes(key)) warnings.push(`"${key}" means nothing in ${name} and has no effect`)
}

/** YAML 1.1 reads 1e-3 as text. */
function hintOf(value: unknown): string {
  return typeof value === 'string' && Number.isFinite(Number(value))
    ? ` (YAML takes it for text; write ${Number(value)})`
    : ''
}

function optionalObject(value: unknown, key: string): Record<string, unknown> | undefined {
  if (value === undefined || value === null) return undefined
  if (!isJsonObject(value)) throw invalid(`${key} is ${shown(value)}; it must be a mapping`)
  return value
}

function optionalText(value: unknown, key: string): string | null {
  if (value === undefined || value === null) return null
  if (typeof value !== 'string' && typeof value !== 'number')
    throw invalid(`${key} is ${shown(value)}; it must be text`)
  return String(value).slice(0, 10_000)
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'missing').slice(0, 100)
}

function invalid(sentence: string, details: { cause?: unknown } = {}): GridError {
  return new GridError('invalid', `${sentence}.`, details)
}
