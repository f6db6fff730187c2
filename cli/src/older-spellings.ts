/**
 * Grid lived through three generations of command line, and people's scripts remember all of them. What was renamed is
 * rewritten here before anything is parsed, so that the commands themselves know only the names of today.
 */
import { separateRun } from './run-flags.ts'

export type Rewritten = { argv: string[]; warnings: string[] }

/** Commands that are just another name; they need no word of warning. */
const silent: Record<string, string> = {
  teams: 'team',
  datastores: 'datastore',
  summary: 'status',
  train: 'run',
}

type FlagRule = { now: string | null; takesValue: boolean; note?: string; silently?: boolean }

/** Flags of older generations by command: the name of today, or null when what they did now happens by itself. */
const flags: Record<string, Record<string, FlagRule>> = {
  logs: {
    '--n_lines': { now: '--tail-lines', takesValue: true },
    '--n-lines': { now: '--tail-lines', takesValue: true },
    '--max_lines': { now: '--tail-lines', takesValue: true },
    '--tail_lines': { now: '--tail-lines', takesValue: true, silently: true },
    '--page': { now: null, takesValue: true, note: 'all lines are printed' },
    '--use_pager': { now: null, takesValue: false, note: 'pipe into your pager' },
    '--show_build_logs': { now: '--show-build-logs', takesValue: false, silently: true },
  },
  artifacts: {
    '--download-dir': { now: '--download_dir', takesValue: true, silently: true },
    '--match-regex': { now: '--match_regex', takesValue: true, silently: true },
  },
  datastore: {
    // The program's own --version would take it.
    '--version': { now: '--version_number', takesValue: true, silently: true },
    '--compression': { now: null, takesValue: false, note: 'files are sent once and as they are' },
    '--grid_credential': { now: null, takesValue: true, note: 'data is not bound to a cloud account' },
    '--cluster': { now: null, takesValue: true, note: 'data is on every cluster' },
  },
  status: { '--details': { now: '--params', takesValue: false } },
  login: { '--api_key': { now: '--key', takesValue: true }, '--api-key': { now: '--key', takesValue: true } },
}

/** Global options that take a value, which must not be mistaken for the command. */
const globalsWithValue = new Set(['-o', '--output'])

/**
 * @param argv what follows the program's name.
 * @returns the same in the words of today, with a line for stderr for each flag that changed its name.
 */
export function rewriteOlderSpellings(argv: readonly string[]): Rewritten {
  const result = [...argv]
  const warnings: string[] = []
  let at = 0
  while (at < result.length && result[at]!.startsWith('-')) {
    at += globalsWithValue.has(result[at]!) ? 2 : 1
  }
  if (at >= result.length) return { argv: result, warnings }
  result[at] = silent[result[at]!] ?? result[at]!
  if (result[at] === 'run') {
    const { argv: rest, warnings: about } = separateRun(result.slice(at + 1))
    return { argv: [...result.slice(0, at + 1), ...rest], warnings: about }
  }
  const rules = flags[result[at]!] ?? {}
  for (let index = at + 1; index < result.length; index += 1) {
    const argument = result[index]!
    if (argument === '--') break
    const equals = argument.indexOf('=')
    const name = equals < 0 ? argument : argument.slice(0, equals)
    const rule = Object.hasOwn(rules, name) ? rules[name]! : undefined
    if (!rule) continue
    if (!rule.silently) {
      warnings.push(
        rule.now
          ? `${name} is deprecated, use ${rule.now}`
          : `${name} is deprecated, leave it away (${rule.note})`,
      )
    }
    if (rule.now) result[index] = equals < 0 ? rule.now : rule.now + argument.slice(equals)
    else {
      result.splice(index, rule.takesValue && equals < 0 ? 2 : 1)
      index -= 1
    }
  }
  return { argv: result, warnings }
}
