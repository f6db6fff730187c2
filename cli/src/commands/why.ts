import type { Command } from 'commander'
import { GridError, type Why } from '@teamgrid/api'
import { type Context, handle } from '../context.ts'
import type { Io } from '../io.ts'
import { resolve } from '../resolve.ts'

export function addWhy(program: Command, io: Io): void {
  program
    .command('why')
    .argument('<person>', 'username')
    .argument('[thing]', 'team/project, or [user:]experiment; without it the team itself')
    .option('--team <team>', 'the team, where it is not your default one')
    .description('Why somebody can, or cannot, see a team, a project or an experiment.')
    .action(handle(io, explain))
}

async function explain(
  context: Context,
  person: string,
  thing: string | undefined,
  options: { team?: string },
): Promise<void> {
  const { client } = await context.connection()
  const place = await placeOf(context, thing, options.team)
  printWhy(context, await client.teams.why({ person, ...place }))
}

export function printWhy(context: Pick<Context, 'say' | 'json' | 'printJson'>, answer: Why): void {
  context.say(answer.sentence)
  if (context.json) context.printJson(answer)
}

async function placeOf(context: Context, thing: string | undefined, team: string | undefined) {
  const home = team ?? context.io.env['GRID_ENTITY'] ?? (await context.me()).defaultTeam
  if (thing === undefined) return { team: home }
  const parts = thing.split('/')
  if (parts.length === 2 && parts.every(Boolean)) return { team: parts[0]!, project: parts[1]! }
  const found = await resolve(context, thing, team).catch((error: unknown) => {
    if (error instanceof GridError && error.code === 'not_found') return undefined
    throw error
  })
  const first = found?.experiments[0]
  if (first) return { team: first.team, project: first.project, experiment: first.slug }
  // A bare word may be a project.
  return { team: home, project: thing }
}
