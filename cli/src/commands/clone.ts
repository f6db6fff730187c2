import type { Command } from 'commander'
import { GridError } from '@teamgrid/api'
import { type Context, handle } from '../context.ts'
import type { Io } from '../io.ts'
import { submission } from '../submissions.ts'
import { runDetailsJson, summary } from './run.ts'

export function addClone(program: Command, io: Io): void {
  program
    .command('clone')
    .argument('<run>', '[user:]run, or one of its experiments')
    .option('--name <name>', 'of the new run; without it one is found')
    .option('--set <name=value>', 'another value for an argument; more than once', gather)
    .option('--team <team>', 'look in this team')
    .option('--dry_run', 'only say what would happen')
    .description('Run the same code again, as it is or with other arguments.')
    .action(handle(io, clone))
}

async function clone(
  context: Context,
  reference: string,
  options: { name?: string; set?: string[]; team?: string; dry_run?: boolean },
): Promise<void> {
  const { client, url } = await context.connection()
  const source = await submission(context, reference, options.team)
  // Of one experiment what the search had chosen for it is repeated, not the search.
  const [, number] = /-exp(\d+)$/.exec(reference) ?? []
  const one = source.experimentList.find((each) => String(each.number) === number)
  const given =
    one === undefined ? source.spec.arguments : chosenArguments(source.spec.arguments, one.parameters)
  const run = await client.runs.submit({
    team: source.team,
    project: source.project,
    ...(options.name ? { name: options.name } : {}),
    code: source.code && { sha256: source.code.sha256 },
    git: source.git,
    clonedFrom: source.id,
    spec: {
      ...source.spec,
      arguments: (options.set ?? []).reduce(withValue, given),
      ...(one === undefined ? {} : { strategy: 'none' as const, trials: null }),
    },
    dryRun: options.dry_run === true,
  })
  for (const warning of run.warnings) context.warn(warning)
  if (context.json) context.printJson(runDetailsJson(run, url))
  else context.io.stdout.write(summary(run, url, options.dry_run === true))
}

/** The arguments with the value of each flag that was searched over. */
function chosenArguments(given: readonly string[], parameters: Record<string, string>): string[] {
  return Object.entries(parameters).reduce(
    (words, [name, value]) => withValue(words, `${name}=${value}`),
    [...given],
  )
}

function withValue(words: readonly string[], setting: string): string[] {
  const equals = setting.indexOf('=')
  if (equals < 1) throw new GridError('invalid', `--set ${setting}: write name=value`)
  const name = setting.slice(0, equals)
  const value = setting.slice(equals + 1)
  const isFlag = (word: string) => word.replace(/^-+/, '') === name && word.startsWith('-')
  const at = words.findIndex(isFlag)
  if (at >= 0)
    return words.with(at + 1 < words.length ? at + 1 : at, at + 1 < words.length ? value : words[at]!)
  const glued = words.findIndex(
    (word) => word.startsWith('-') && word.replace(/^-+/, '').startsWith(`${name}=`),
  )
  if (glued >= 0)
    return words.with(glued, `${words[glued]!.slice(0, words[glued]!.indexOf('=') + 1)}${value}`)
  const unnamed = /^arg(\d+)$/.exec(name)
  if (unnamed) return words.map((word) => (/^(?:\[|range\(|[a-z]+\()/.test(word) ? value : word))
  return [...words, `--${name}`, value]
}

function gather(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value]
}
