import type { Command } from 'commander'
import { type Experiment, GridError } from '@teamgrid/api'
import { confirm, ofOthers, ownersText } from '../acting.ts'
import { type Context, handle } from '../context.ts'
import type { Io } from '../io.ts'
import { type Resolved, resolve } from '../resolve.ts'
import { shown } from '../text.ts'

type MoveOptions = {
  to: string
  all?: boolean
  from?: string
  search?: string
  team?: string
  yes?: boolean
  skipDenied?: boolean
}

export function addMove(program: Command, io: Io): void {
  program
    .command('move')
    .argument('[ref...]', '[user:]run or [user:]experiment')
    .requiredOption('--to <team/project>', 'where they go; the project is made if there is none of that name')
    .option('--all', 'instead of naming them: everything in a project')
    .option('--from <team/project>', 'with --all: the project')
    .option(
      '--search <text>',
      'with --all: only those with this in name, tags or notes; /regular expression/',
    )
    .option('--team <team>', 'look for the names in this team')
    .option('-y, --yes', "do not ask before moving what is somebody else's, or everything")
    .option('--skip-denied', 'leave out what may not be moved, instead of moving nothing')
    .summary('move experiments to another project or team')
    .description(
      'Moves experiments with history, logs and files, all of them or none. Their old address leads to the new one, also for scripts that still log.',
    )
    .action(handle(io, move))
}

async function move(context: Context, refs: string[], options: MoveOptions): Promise<void> {
  const to = placeOf(options.to, '--to')
  if (options.all ? refs.length > 0 || options.from === undefined : refs.length === 0)
    throw new GridError('invalid', 'Name experiments, or say --all --from TEAM/PROJECT')
  if (!options.all && (options.from !== undefined || options.search !== undefined))
    throw new GridError('invalid', '--from and --search belong to --all')
  const { client } = await context.connection()
  const chosen = options.all ? await everything(context, options) : await named(context, refs, options)
  const result = await client.experiments.move({
    ...chosen,
    to,
    ...(options.skipDenied ? { skipDenied: true } : {}),
  })
  for (const { name, from, to: slug } of result.renamed)
    context.warn(`${shown(name)}: the address ${from} is taken there; it is ${slug} now`)
  if (result.skipped > 0) context.warn(`${count(result.skipped)} may not be moved and stayed`)
  context.done(`Moved ${count(result.moved)} to ${result.team}/${result.project}`)
  if (context.json) context.printJson(result)
}

async function named(context: Context, refs: string[], options: MoveOptions) {
  const found: Resolved[] = []
  for (const ref of refs) found.push(await resolve(context, ref, options.team))
  const others = await ofOthers(context, found)
  if (others.length > 0 && !options.yes) await ask(context, ownersText(others))
  const ids = found.flatMap((one) => one.experiments.map(({ id }: Experiment) => id))
  return { experimentIds: [...new Set(ids)] }
}

async function everything(context: Context, options: MoveOptions) {
  const from = placeOf(options.from!, '--from')
  const search = options.search === undefined ? {} : { search: options.search }
  if (!options.yes) {
    const { client } = await context.connection()
    const { total } = await client.experiments.query({ ...from, ...search, limit: 1 })
    await ask(context, `${count(total)} of ${from.team}/${from.project} will be moved.\n`)
  }
  return { from: { ...from, ...search } }
}

async function ask(context: Context, says: string): Promise<void> {
  await confirm(context, says, 'Move?', {
    not: 'Not moved',
    yesHint: 'Say --yes to move without being asked.',
  })
}

function placeOf(text: string, flag: string): { team: string; project: string } {
  const match = /^([^/]+)\/([^/]+)$/.exec(text.trim())
  if (!match) throw new GridError('invalid', `${flag} wants TEAM/PROJECT, not "${text}"`)
  return { team: match[1]!, project: match[2]! }
}

const count = (experiments: number) => `${experiments} experiment${experiments === 1 ? '' : 's'}`
