import type { Command } from 'commander'
import { confirm, findAll, ofOthers, ownersText, permitted } from '../acting.ts'
import { type Context, handle } from '../context.ts'
import { experimentJson } from '../experiment-json.ts'
import type { Io } from '../io.ts'
import { shown } from '../text.ts'

type DeleteOptions = { yes?: boolean; team?: string; skipDenied?: boolean }

export function addDelete(program: Command, io: Io): void {
  const remove = program
    .command('delete')
    .description('Delete runs and experiments with their curves, logs and files.')
  for (const kind of ['run', 'experiment'] as const) {
    remove
      .command(kind)
      .argument(`<${kind}...>`, `[user:]${kind}`)
      .option('-y, --yes', 'do not ask')
      .option('--skip-denied', 'leave out what may not be deleted, instead of deleting nothing')
      .option('--team <team>', 'look in this team')
      .description(kind === 'run' ? 'Delete every experiment of runs.' : 'Delete experiments.')
      .action(
        handle(io, (context, refs: string[], options: DeleteOptions) =>
          deleteAll(context, kind, refs, options),
        ),
      )
  }
}

/** Everything is found, proven and confirmed before anything is deleted. */
async function deleteAll(
  context: Context,
  kind: 'run' | 'experiment',
  refs: string[],
  options: DeleteOptions,
): Promise<void> {
  const named = await findAll(context, 'delete', kind, refs, options.team)
  const found = await permitted(context, 'experiment:delete', named, options.skipDenied === true)
  const experiments = [
    ...new Map(found.flatMap((one) => one.experiments).map((one) => [one.id, one])).values(),
  ]
  if (experiments.length > 0 && !options.yes) {
    const list = found.map((one) => `${one.kind} ${shown(one.name)}`).join(', ')
    const what = `${list}: artifacts, logs and metadata of ${experiments.length} experiment${experiments.length === 1 ? '' : 's'} will be gone.\n`
    await confirm(context, ownersText(await ofOthers(context, found)) + what, 'Delete it?', {
      not: 'Nothing was deleted',
      yesHint: 'Say --yes to delete without being asked.',
    })
  }
  const { client } = await context.connection()
  for (const { team, project, slug, name } of experiments) {
    await client.experiments.delete({ team, project, experiment: slug })
    context.done(`Deleting ${shown(name)}`)
  }
  if (context.json) context.printJson(experiments.map((one) => ({ ...experimentJson(one), deleted: true })))
}
