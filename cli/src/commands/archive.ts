import type { Command } from 'commander'
import type { RunDetails } from '@teamgrid/api'
import { type Context, handle } from '../context.ts'
import type { Io } from '../io.ts'
import { submission } from '../submissions.ts'
import { shown } from '../text.ts'
import { runDetailsJson } from './run.ts'

export function addArchive(program: Command, io: Io): void {
  const archive = program.command('archive').description('Hide runs from lists. Nothing is lost.')
  archive
    .command('run')
    .argument('<run...>', '[user:]run')
    .option('--undo', 'show them again')
    .option('--team <team>', 'look in this team')
    .description('Hide runs, or show them again.')
    .action(handle(io, archiveAll))
}

async function archiveAll(
  context: Context,
  references: string[],
  options: { undo?: boolean; team?: string },
): Promise<void> {
  const { client, url } = await context.connection()
  const found: RunDetails[] = []
  for (const reference of references) found.push(await submission(context, reference, options.team))
  const changed: RunDetails[] = []
  for (const { team, name } of found) {
    changed.push(await client.runs.archive({ team, run: name, archived: options.undo !== true }))
    context.done(`${options.undo ? 'Shown again:' : 'Archived'} ${shown(name)}`)
  }
  if (context.json) context.printJson(changed.map((run) => runDetailsJson(run, url)))
}
