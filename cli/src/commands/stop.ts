import type { Command } from 'commander'
import type { Experiment } from '@teamgrid/api'
import { confirm, findAll, type Kind, ofOthers, ownersText, permitted } from '../acting.ts'
import { type Context, handle } from '../context.ts'
import { experimentJson } from '../experiment-json.ts'
import type { Io } from '../io.ts'
import { hasEnded } from '../states.ts'
import { shown } from '../text.ts'

type StopOptions = { yes?: boolean; team?: string; skipDenied?: boolean }

export function addStop(program: Command, io: Io): void {
  const stop = program.command('stop').description('Ask scripts to stop. What they logged and saved stays.')
  for (const kind of ['run', 'experiment'] as const) {
    stop
      .command(kind)
      .argument(`<${kind}...>`, `[user:]${kind}`)
      .option('-y, --yes', "do not ask before stopping what is somebody else's")
      .option('--skip-denied', 'leave out what may not be stopped, instead of stopping nothing')
      .option('--team <team>', 'look in this team')
      .description(kind === 'run' ? 'Stop every experiment of runs.' : 'Stop experiments.')
      .action(
        handle(io, (context, refs: string[], options: StopOptions) => stopAll(context, kind, refs, options)),
      )
  }
  program
    .command('cancel', { hidden: true })
    .argument('<ref...>', '[user:]run or [user:]experiment')
    .option('-y, --yes')
    .option('--skip-denied')
    .option('--team <team>')
    .action(
      handle(io, (context, refs: string[], options: StopOptions) => {
        context.warn('grid cancel is deprecated, use grid stop run or grid stop experiment')
        return stopAll(context, 'any', refs, options)
      }),
    )
}

/** Everything is found, proven and confirmed before anything is stopped. */
async function stopAll(context: Context, kind: Kind, refs: string[], options: StopOptions): Promise<void> {
  const named = await findAll(context, 'stop', kind, refs, options.team)
  const found = await permitted(context, 'experiment:stop', named, options.skipDenied === true)
  const byId = new Map(found.flatMap((one) => one.experiments).map((one) => [one.id, one]))
  const active = [...byId.values()].filter((experiment) => !hasEnded(experiment.state))
  const running = found.filter((one) => one.experiments.some((each) => !hasEnded(each.state)))
  const others = await ofOthers(context, running)
  if (others.length > 0 && !options.yes) {
    await confirm(context, ownersText(others), 'Stop it?', {
      not: 'Nothing was stopped',
      yesHint: 'Say --yes to stop what is somebody else’s.',
    })
  }
  const { client } = await context.connection()
  const stopped: Experiment[] = []
  for (const { team, project, slug, name } of active) {
    stopped.push(await client.experiments.stop({ team, project, experiment: slug }))
    context.done(`Stopping ${shown(name)}`)
  }
  for (const { id, name } of byId.values()) {
    if (!active.some((one) => one.id === id)) context.done(`${shown(name)} has already ended`)
  }
  const answers = new Map(stopped.map((one) => [one.id, one]))
  if (context.json)
    context.printJson([...byId.values()].map((one) => experimentJson(answers.get(one.id) ?? one)))
}
