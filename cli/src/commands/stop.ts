import type { Command } from 'commander'
import { type Experiment, GridError } from '@teamgrid/api'
import { type Context, handle } from '../context.ts'
import { experimentJson } from '../experiment-json.ts'
import type { Io } from '../io.ts'
import { type Resolved, resolve } from '../resolve.ts'
import { hasEnded } from '../states.ts'
import { shown } from '../text.ts'

type StopOptions = { yes?: boolean; team?: string }
type Kind = 'run' | 'experiment' | 'any'

export function addStop(program: Command, io: Io): void {
  const stop = program.command('stop').description('Ask scripts to stop. What they logged and saved stays.')
  for (const kind of ['run', 'experiment'] as const) {
    stop
      .command(kind)
      .argument(`<${kind}...>`, `[user:]${kind}`)
      .option('-y, --yes', "do not ask before stopping what is somebody else's")
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
    .option('--team <team>')
    .action(
      handle(io, (context, refs: string[], options: StopOptions) => {
        context.warn('grid cancel is deprecated, use grid stop run or grid stop experiment')
        return stopAll(context, 'any', refs, options)
      }),
    )
}

/** Everything is found and confirmed before anything is stopped. */
async function stopAll(context: Context, kind: Kind, refs: string[], options: StopOptions): Promise<void> {
  const found: Resolved[] = []
  for (const ref of refs) {
    const resolved = await resolve(context, ref, options.team)
    if (kind === 'experiment' && resolved.kind === 'run' && resolved.experiments.length > 1) {
      throw new GridError('invalid', `"${ref}" is a run of ${resolved.experiments.length} experiments`, {
        hint: `To stop all of them: grid stop run ${ref}`,
      })
    }
    if (kind === 'run' && resolved.kind === 'experiment' && resolved.experiments[0]!.group) {
      throw new GridError('invalid', `Must pass a Run name; "${ref}" is an experiment`, {
        hint: `To stop it: grid stop experiment ${ref}`,
      })
    }
    found.push(resolved)
  }
  const byId = new Map(found.flatMap((one) => one.experiments).map((one) => [one.id, one]))
  const active = [...byId.values()].filter((experiment) => !hasEnded(experiment.state))
  await confirmOthers(context, found, options)
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

async function confirmOthers(
  context: Context,
  found: readonly Resolved[],
  options: StopOptions,
): Promise<void> {
  const { user } = await context.me()
  const others = found.filter((one) =>
    one.experiments.some(
      (experiment) => experiment.createdBy.username !== user.username && !hasEnded(experiment.state),
    ),
  )
  if (others.length === 0 || options.yes) return
  const { stdin, stderr } = context.io
  stderr.write('WARNING!\n')
  for (const one of others) {
    const owners = [...new Set(one.experiments.map((experiment) => experiment.createdBy.username))]
    stderr.write(`${one.kind} ${shown(one.name)} belongs to ${owners.join(', ')}.\n`)
  }
  if (!stdin.isTTY) {
    throw new GridError('forbidden', 'Not stopped: there is no terminal to ask whether you are sure', {
      hint: 'Say --yes to stop what is somebody else’s.',
    })
  }
  const answer = await stdin.ask('Stop it? [y/N] ')
  if (!/^y(?:es)?$/i.test(answer)) throw new GridError('forbidden', 'Nothing was stopped')
}
