/**
 * The sweep syntax of `grid run`: which arguments of a script are searched over, and the commands that come out of it.
 * Texts are read by the small grammar below and never evaluated.
 *
 * ```
 * argument := list | range | sample | anything else, which stays as it is
 * list     := '[' element (',' element)* ','? ']'     element := number | True | False | None | 'text' | "text" | word | list
 * range    := 'range(' integer (',' integer){0,2} ')'
 * sample   := distribution '(' number (',' number)* ')'     the last number says how many values to draw
 * ```
 */
import { distributions, seededRandom } from './distributions.ts'
import { GridError } from './errors.ts'

export const searchStrategies = ['grid_search', 'random_search', 'none'] as const
export type SearchStrategy = (typeof searchStrategies)[number]

/** One argument that is searched over. */
export type SearchParameter = {
  /** The flag before it without its dashes, or `arg1`, `arg2` … for an argument without one. */
  name: string
  /** Its place among the script's arguments, from 0. */
  position: number
  /** What stands before the value in the same argument: `--lr=`, or nothing. */
  prefix: string
  kind: 'list' | 'range' | 'sample'
  /** Every value as the script will read it, in order. */
  values: string[]
}

export type SearchSpace = { arguments: string[]; parameters: SearchParameter[]; warnings: string[] }

export type SearchOptions = {
  strategy: SearchStrategy
  /** How many experiments a random search draws. */
  trials?: number | null
  /** Decides what is drawn. */
  seed?: number
}

export type SearchResult = {
  /** One per experiment, in the order of their numbers; `values` is by the parameters' names. */
  experiments: { arguments: string[]; values: Record<string, string> }[]
  warnings: string[]
}

/** More experiments than this in one submission are refused: nobody means them, and somebody pays for them. */
export const maximumExperiments = 10_000
const maximumValues = 10_000

/**
 * Reads the arguments of a script.
 *
 * @param seed Decides the drawn values. Each argument draws from a sequence of its own, given by the seed and its name.
 * @throws GridError invalid, with the place of the mistake, for a text that begins like a list, a range or a sample and is
 * none.
 */
export function parseSearchSpace(scriptArguments: readonly string[], seed = 0): SearchSpace {
  const parameters: SearchParameter[] = []
  const warnings: string[] = []
  const names = new Set<string>()
  let flag: string | null = null
  let unnamed = 0
  for (const [position, argument] of scriptArguments.entries()) {
    const glued = /^(--?[A-Za-z][^\s=]*)=/.exec(argument)
    const flagName = glued?.[1] ?? flag
    const text = argument.slice(glued?.[0].length ?? 0)
    const name = uniqueName(flagName?.replace(/^-+/, '') ?? `arg${unnamed + 1}`, names)
    const found = readValues(text, `${seed}/${name}`)
    if ('values' in found) {
      if (flagName === null) unnamed++
      names.add(name)
      parameters.push({ name, position, prefix: glued?.[0] ?? '', ...found })
    } else if (found.warning) warnings.push(`${flagName ? `${flagName}: ` : ''}${found.warning}`)
    if (glued || argument === '--') flag = null
    else if (/^--?[A-Za-z]/.test(argument)) flag = argument
  }
  return { arguments: [...scriptArguments], parameters, warnings }
}

/** The first of `name`, `name.2`, `name.3` … that is free: a flag may be followed by several lists. */
function uniqueName(name: string, taken: ReadonlySet<string>): string {
  let free = name
  for (let number = 2; taken.has(free); number++) free = `${name}.${number}`
  return free
}

/**
 * The commands of all experiments. `grid_search` takes every combination, the last parameter changing fastest, so that
 * numbers are stable; `random_search` draws `trials` different ones; `none` leaves the arguments as they are.
 *
 * @throws GridError invalid, when the search has no trials to draw or more than `maximumExperiments` experiments.
 */
export function searchExperiments(
  scriptArguments: readonly string[],
  { strategy, trials = null, seed = 0 }: SearchOptions,
): SearchResult {
  if (strategy === 'none')
    return { experiments: [{ arguments: [...scriptArguments], values: {} }], warnings: [] }
  const space = parseSearchSpace(scriptArguments, seed)
  const warnings = [...space.warnings]
  if (strategy === 'grid_search') {
    if (trials !== null) warnings.push('--num_trials has no meaning in a grid search and is ignored.')
    const size = sizeOf(space.parameters)
    refuseTooMany(size)
    return { experiments: range(size).map((index) => experimentAt(space, index)), warnings }
  }
  if (trials === null || !Number.isSafeInteger(trials) || trials < 1) {
    throw new GridError('invalid', 'A random search needs to know how many combinations to draw', {
      hint: 'Add --num_trials 20.',
    })
  }
  refuseTooMany(trials)
  // The same value twice would make two equal combinations count as different ones.
  const distinct = {
    ...space,
    parameters: space.parameters.map((one) => ({ ...one, values: [...new Set(one.values)] })),
  }
  const size = sizeOf(distinct.parameters)
  if (trials > size) {
    warnings.push(`There are only ${size} different combinations: all of them run, instead of ${trials}.`)
  }
  const drawn = drawDistinct(Math.min(trials, size), size, seededRandom(`${seed}/search`))
  return { experiments: drawn.map((index) => experimentAt(distinct, index)), warnings }
}

function sizeOf(parameters: readonly SearchParameter[]): number {
  return parameters.reduce((size, parameter) => size * parameter.values.length, 1)
}

function refuseTooMany(count: number): void {
  if (count <= maximumExperiments) return
  throw new GridError(
    'invalid',
    `This would start ${count > Number.MAX_SAFE_INTEGER ? 'countless' : count.toLocaleString('en')} experiments; one run holds at most ${maximumExperiments.toLocaleString('en')}`,
    { hint: 'Draw some of them: --strategy random_search --num_trials 100.' },
  )
}

/** Combination number `index`, in mixed radix: the last parameter is the lowest digit. */
function experimentAt({ arguments: template, parameters }: SearchSpace, index: number) {
  const filled = [...template]
  const chosen: [string, string][] = []
  let rest = index
  for (const parameter of parameters.toReversed()) {
    const count = parameter.values.length
    const value = parameter.values[rest % count]!
    rest = Math.floor(rest / count)
    filled[parameter.position] = parameter.prefix + value
    chosen.push([parameter.name, value])
  }
  return { arguments: filled, values: Object.fromEntries(chosen.toReversed()) }
}

/** `count` different whole numbers below `size`, each set equally likely (Floyd's algorithm), then in random order. */
function drawDistinct(count: number, size: number, random: () => number): number[] {
  const drawn = new Set<number>()
  for (let top = size - count; top < size; top++) {
    const candidate = Math.floor(random() * (top + 1))
    drawn.add(drawn.has(candidate) ? top : candidate)
  }
  const order = [...drawn]
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    ;[order[last], order[other]] = [order[other]!, order[last]!]
  }
  return order
}

const range = (count: number) => Array.from({ length: count }, (_, index) => index)

type Found = { kind: SearchParameter['kind']; values: string[] } | { warning: string | null }

function readValues(text: string, seed: string): Found {
  const trimmed = text.trim()
  if (trimmed.startsWith('[')) return { kind: 'list', values: readList(trimmed) }
  const call = /^(?:(?:np|numpy)\.random\.)?([A-Za-z_]\w*)\s*\((.*)\)$/s.exec(trimmed)
  if (call && call[1] === 'range') return { kind: 'range', values: readRange(trimmed, call[2]!) }
  if (call && Object.hasOwn(distributions, call[1]!)) {
    return { kind: 'sample', values: readSample(trimmed, call[1]!, call[2]!, seed) }
  }
  if (call) {
    return {
      warning: `"${trimmed}" is passed to the script as it is: ${call[1]} is no distribution we know.`,
    }
  }
  if (/^\(.*,.*\)$/s.test(trimmed)) {
    return {
      warning: `"${trimmed}" is passed to the script as it is. For a range of values write "range${trimmed}".`,
    }
  }
  return { warning: null }
}

const asItIs = 'To hand the text to the script as it is, use --strategy none.'

function wrong(text: string, at: number, what: string, hint: string): GridError {
  return new GridError('invalid', `${what} at character ${at + 1} of ${text}`, { hint: `${hint} ${asItIs}` })
}

/** A Python list of literals. Numbers keep the digits they were written with. */
function readList(text: string): string[] {
  const { elements, end } = readElements(text, 0)
  if (end < text.length) {
    throw wrong(text, end, 'The list has ended, and more follows', 'Take away what stands behind "]".')
  }
  if (elements.length === 0) throw wrong(text, 1, 'The list is empty', 'Write at least one value: [0.1].')
  return elements
}

function readElements(text: string, start: number): { elements: string[]; end: number } {
  const elements: string[] = []
  let at = skipSpace(text, start + 1)
  while (text[at] !== ']') {
    const element = readElement(text, at)
    elements.push(element.value)
    if (elements.length > maximumValues) {
      throw wrong(
        text,
        at,
        `The list has more than ${maximumValues} values`,
        'Draw some of them with a distribution.',
      )
    }
    at = skipSpace(text, element.end)
    if (text[at] === ',') at = skipSpace(text, at + 1)
    else if (text[at] !== ']') {
      throw at >= text.length
        ? wrong(text, at, 'The list does not end', 'Close it with "]".')
        : wrong(text, at, 'A comma is missing', 'Separate the values with commas: [1, 2].')
    }
  }
  return { elements, end: at + 1 }
}

function readElement(text: string, at: number): { value: string; end: number } {
  const quote = text[at]
  if (quote === "'" || quote === '"') return readQuoted(text, at, quote)
  if (quote === '[') {
    const { end } = readElements(text, at)
    return { value: text.slice(at, end), end }
  }
  // A word without quotes is what a shell leaves of ['adam'] written without outer quotes.
  const word = /^[^\s,[\]'"(){}]+/.exec(text.slice(at))
  if (word) return { value: word[0], end: at + word[0].length }
  if (at >= text.length) throw wrong(text, at, 'The list does not end', 'Close it with "]".')
  throw wrong(
    text,
    at,
    text[at] === ',' ? 'A value is missing' : `Unexpected ${text[at]}`,
    'A list holds numbers, True, False, None and texts in quotes, with commas between.',
  )
}

const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '\\': '\\',
  "'": "'",
  '"': '"',
}

function readQuoted(text: string, start: number, quote: string): { value: string; end: number } {
  let value = ''
  for (let at = start + 1; at < text.length; at++) {
    const character = text[at]!
    if (character === quote) return { value, end: at + 1 }
    // As in Python, an escape that is none keeps its backslash.
    const escaped = character === '\\' ? escapes[text[at + 1] ?? ''] : undefined
    value += escaped ?? character
    if (escaped !== undefined) at++
  }
  throw wrong(text, start, 'The text does not end', `Close it with ${quote}.`)
}

function skipSpace(text: string, at: number): number {
  while (/\s/.test(text[at] ?? '')) at++
  return at
}

function readNumbers(text: string, inside: string): number[] {
  const numbers = inside.split(',').map((part) => part.trim())
  if (numbers.length > 1 && numbers.at(-1) === '') numbers.pop()
  return numbers.map((number) => {
    if (!/^[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(number)) {
      const shown = number === '' ? 'nothing' : `"${number}"`
      throw new GridError('invalid', `${text} needs numbers, and holds ${shown}`, {
        hint: `Numbers are written like 3, -0.5 or 1e-4. ${asItIs}`,
      })
    }
    return Number(number.replaceAll('_', ''))
  })
}

function readRange(text: string, inside: string): string[] {
  const numbers = readNumbers(text, inside)
  const [first, second, third] = numbers
  const [start, stop, step] = numbers.length === 1 ? [0, first!, 1] : [first!, second!, third ?? 1]
  if (numbers.length > 3 || ![start, stop, step].every(Number.isSafeInteger) || step === 0) {
    throw new GridError('invalid', `${text} is not a range`, {
      hint: `Write range(stop), range(start, stop) or range(start, stop, step) with whole numbers, the step not 0. ${asItIs}`,
    })
  }
  const count = Math.max(0, Math.ceil((stop - start) / step))
  if (count === 0) {
    throw new GridError('invalid', `${text} holds no value`, {
      hint: 'The stop itself never belongs to a range; a range downwards needs a negative step.',
    })
  }
  if (count > maximumValues) {
    throw new GridError(
      'invalid',
      `${text} holds ${count.toLocaleString('en')} values; ${maximumValues} are allowed`,
      {
        hint: 'Take a larger step, or draw some with randint(low, high, count).',
      },
    )
  }
  return range(count).map((index) => String(start + index * step))
}

function readSample(text: string, name: string, inside: string, seed: string): string[] {
  const { parameters, check, sampler } = distributions[name]!
  const form = `${name}(${[...parameters, 'count'].join(', ')})`
  const numbers = readNumbers(text, inside)
  if (numbers.length !== parameters.length + 1) {
    throw new GridError('invalid', `${text} does not have the form ${form}`, {
      hint: `The last number says how many values to draw. ${asItIs}`,
    })
  }
  const count = numbers.pop()!
  if (!Number.isSafeInteger(count) || count < 1 || count > maximumValues) {
    throw new GridError('invalid', `${text} would draw ${count} values`, {
      hint: `The last number of ${form} says how many values to draw: 1 to ${maximumValues}.`,
    })
  }
  const trouble = check?.(...numbers) || (!numbers.every(Number.isFinite) && 'a number is too large')
  if (trouble) throw new GridError('invalid', `${text}: ${trouble}`, { hint: `The form is ${form}.` })
  const draw = sampler(seededRandom(seed), ...numbers)
  return range(count).map(() => String(draw()))
}
