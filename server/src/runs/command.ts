/** From a script and its arguments to what is started; pure. */
import { GridError, type RunSpec, searchExperiments } from '@teamgrid/api'

/** By the script's ending. What has none of them is started itself. */
const interpreters: Record<string, string[]> = {
  py: ['python3', '-u'],
  sh: ['sh'],
  bash: ['bash'],
  r: ['Rscript'],
  jl: ['julia', '--project=@.', '--threads=auto'],
  js: ['node'],
}

export type Planned = {
  /** Program and arguments. */
  argv: string[]
  /** What the search chose, by name. */
  parameters: Record<string, string>
  arguments: string[]
}

/** Every experiment of a run, in the order of their numbers. @throws GridError invalid, saying where the mistake is. */
export function plan(spec: RunSpec): { experiments: Planned[]; warnings: string[] } {
  const { strategy, trials, seed } = spec
  const { experiments, warnings } = searchExperiments(spec.arguments, { strategy, trials, seed })
  return {
    experiments: experiments.map(({ arguments: given, values }) => ({
      argv: argvOf(spec.script, given),
      parameters: values,
      arguments: given,
    })),
    warnings,
  }
}

function argvOf(script: string, given: string[]): string[] {
  const ending = /\.([A-Za-z]+)$/.exec(script)?.[1]?.toLowerCase()
  const interpreter = ending === undefined ? undefined : interpreters[ending]
  if (interpreter) return [...interpreter, script, ...given]
  return [script.includes('/') ? script : `./${script}`, ...given]
}

/** As one would type it. */
export function commandLine(script: string, given: readonly string[]): string {
  return [script, ...given].map(shown).join(' ')
}

function shown(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

/** The script and where it runs stay within the code. @throws GridError invalid. */
export function checkPaths({ script, folder }: RunSpec): void {
  for (const path of [script, folder])
    if (path.startsWith('/') || path.split('/').includes('..') || path.includes('\0'))
      throw new GridError('invalid', `"${path}" is not inside the code`, {
        hint: 'Name the script by its path from the folder that you submit.',
      })
}

/** What the script will read as its configuration: numbers as numbers. */
export function configOf(parameters: Record<string, string>): Record<string, { value: unknown }> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, text]) => [name, { value: valueOf(text) }]),
  )
}

function valueOf(text: string): unknown {
  if (text === 'True') return true
  if (text === 'False') return false
  if (text === 'None') return null
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : text
}
