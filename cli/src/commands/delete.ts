import { type Experiment, GridError } from '@teamgrid/api'
import type { Command } from 'commander'
import { confirm, findAll, ofOthers, ownersText, permitted } from '../acting.ts'
import { type Context, handle } from '../context.ts'
import { experimentJson } from '../experiment-json.ts'
import type { Io } from '../io.ts'
import { findSubmission } from '../submissions.ts'
import { shown } from '../text.ts'
import { deleteArtifacts, previewText } from './delete-artifact.ts'

type DeleteOptions = { yes?: boolean; team?: string; skipDenied?: boolean; artifacts?: boolean }

export function addDelete(program: Command, io: Io): void {
  const remove = program
    .command('delete')
    .description('Delete runs and experiments with their curves, logs and files, or versions of artifacts.')
  for (const kind of ['run', 'experiment'] as const) {
    remove
      .command(kind)
      .argument(`<${kind}...>`, `[user:]${kind}`)
      .option('-y, --yes', 'do not ask')
      .option('--skip-denied', 'leave out what may not be deleted, instead of deleting nothing')
      .option('--artifacts', 'also delete the versions of artifacts that they made')
      .option('--team <team>', 'look in this team')
      .description(kind === 'run' ? 'Delete every experiment of runs.' : 'Delete experiments.')
      .action(
        handle(io, (context, refs: string[], options: DeleteOptions) =>
          deleteAll(context, kind, refs, options),
        ),
      )
  }
  remove
    .command('artifact')
    .argument('<artifact...>', '[team/]project/artifact:version, or :* for all its versions')
    .option('-y, --yes', 'do not ask')
    .option('--dry-run', 'only tell what would go and how many bytes that frees')
    .description('Delete versions of artifacts.')
    .action(handle(io, deleteArtifacts))
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
  const { client } = await context.connection()
  const artifacts =
    options.artifacts === true && experiments.length > 0 ? await previewMade(context, experiments) : null
  if (experiments.length > 0 && !options.yes) {
    const list = found.map((one) => `${one.kind} ${shown(one.name)}`).join(', ')
    const what = `${list}: artifacts, logs and metadata of ${experiments.length} experiment${experiments.length === 1 ? '' : 's'} will be gone.\n${artifacts ?? ''}`
    await confirm(context, ownersText(await ofOthers(context, found)) + what, 'Delete it?', {
      not: 'Nothing was deleted',
      yesHint: 'Say --yes to delete without being asked.',
    })
  }
  if (artifacts !== null)
    for (const { team, project, slug } of experiments)
      await client.artifacts.deleteMade({ team, project, experiment: slug })
  // A run that was submitted goes with its experiments; what nobody submitted is its experiments.
  const gone = new Set<string>()
  if (kind === 'run')
    for (const one of found) {
      const run = await findSubmission(context, one.name, one.experiments[0]?.team)
      if (run === undefined || !one.experiments.every((each) => each.group === run.name)) continue
      await client.runs.delete({ team: run.team, run: run.name })
      for (const each of one.experiments) gone.add(each.id)
      context.done(`Deleting ${shown(run.name)}`)
    }
  for (const { team, project, slug, name } of experiments.filter((each) => !gone.has(each.id))) {
    await client.experiments.delete({ team, project, experiment: slug })
    context.done(`Deleting ${shown(name)}`)
  }
  if (context.json) context.printJson(experiments.map((one) => ({ ...experimentJson(one), deleted: true })))
}

/** What they made, as a line of the question. @throws GridError when some of it may not be deleted. */
async function previewMade(context: Context, experiments: readonly Experiment[]): Promise<string> {
  const { client } = await context.connection()
  const preview = await client.artifacts.previewDeleteMade({ experimentIds: experiments.map(({ id }) => id) })
  if (preview.refusal !== null) throw new GridError('forbidden', preview.refusal)
  return `Artifacts that they made: ${previewText(preview)}\n`
}
