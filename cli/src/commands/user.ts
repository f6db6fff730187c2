import type { Command } from 'commander'
import { GridError, type Me } from '@teamgrid/api'
import { type Context, handle } from '../context.ts'
import type { Io } from '../io.ts'
import { shown } from '../text.ts'

export function addUser(program: Command, io: Io): void {
  const user = program.command('user').description('Who am I.').action(handle(io, showUser))
  user
    .command('set-default-entity')
    .argument('<name>', 'a team, or your username')
    .description('Choose the team that gets work which names none.')
    .action(handle(io, setDefaultEntity))
}

async function showUser(context: Context): Promise<void> {
  const me = await context.me()
  if (context.json) context.printJson(userJson(me))
  else context.io.stdout.write(userText(me))
}

/** Aligned `key : value` lines, the order and the words of Grid. */
export function userText(me: Me): string {
  const lines: [string, string][] = [
    ['Display name', me.user.name],
    ['UserID', me.user.id],
    ['Username', me.user.username],
    ['Email', me.user.email ?? '-'],
    // Clusters are registered by whoever runs the server; until then there is none to choose.
    ['Cluster context', '-'],
    ['Default entity', me.defaultTeam],
    ['Teams', me.teams.map((team) => team.slug).join(', ') || '-'],
  ]
  const width = Math.max(...lines.map(([key]) => key.length))
  return lines.map(([key, value]) => `${key.padEnd(width)} : ${shown(value)}\n`).join('')
}

function userJson(me: Me): Record<string, unknown> {
  return {
    display_name: me.user.name,
    user_id: me.user.id,
    username: me.user.username,
    email: me.user.email,
    cluster_context: null,
    default_entity: me.defaultTeam,
    organisation_role: me.user.organisationRole,
    teams: me.teams.map((team) => ({ team: team.slug, team_id: team.id, role: team.role })),
  }
}

async function setDefaultEntity(context: Context, name: string): Promise<void> {
  const { client } = await context.connection()
  try {
    const me = await client.me.change({ defaultTeam: name })
    context.done(`Successfully set the default entity to ${me.defaultTeam}`)
    if (context.json) context.printJson(userJson(me))
  } catch (error) {
    if (!(error instanceof GridError) || error.code !== 'not_found') throw error
    const mine = (await context.me()).teams.map((team) => team.slug).join(', ')
    throw new GridError('not_found', `Entity with name ${name} not found`, {
      hint: `You may choose: ${mine}`,
      cause: error,
    })
  }
}
