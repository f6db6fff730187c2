import type { Command } from 'commander'
import { GridError, type Invitation, type Member, type Team } from '@teamgrid/api'
import { type Context, handle } from '../context.ts'
import type { Io } from '../io.ts'
import type { Column } from '../table.ts'
import { shown } from '../text.ts'
import { day, minute } from '../time.ts'
import { addTeamAdmin } from './team-admin.ts'
import { memberJson } from '../member-json.ts'

export function addTeam(program: Command, io: Io): void {
  const team = program
    .command('team')
    .alias('teams')
    .argument('[name]', 'a team; without it all of mine')
    .option('--members', 'a table of the members with their roles')
    .description('My teams, or who is in one.')
    .action(handle(io, showTeams))
  addTeamAdmin(team, io)
}

async function showTeams(
  context: Context,
  name: string | undefined,
  options: { members?: boolean },
): Promise<void> {
  const { client } = await context.connection()
  if (name === undefined) {
    const teams = await client.teams.list()
    context.printRows({ columns: teamColumns, rows: teams, json: teamJson, empty: 'None.' })
    return
  }
  const { team, members, invitations } = await findTeam(context, name)
  if (context.json) {
    context.printJson({
      ...teamJson(team),
      members: members.map(memberJson),
      member_count: team.members,
      invitations: invitations.map(invitationJson),
    })
  } else if (options.members) {
    context.printRows({ columns: memberColumns, rows: members, json: memberJson })
  } else context.io.stdout.write(teamText(team, members, invitations))
}

async function findTeam(context: Context, name: string) {
  const { client } = await context.connection()
  try {
    const [team, members] = await Promise.all([
      client.teams.get({ team: name }),
      client.teams.members({ team: name }),
    ])
    const invitations = team.role === 'admin' ? await client.teams.invitations({ team: name }) : []
    return { team, members, invitations: invitations.filter((one) => one.state === 'pending') }
  } catch (error) {
    if (!(error instanceof GridError) || error.code !== 'not_found') throw error
    throw new GridError('not_found', `Team ${name} not found`, { cause: error })
  }
}

/** The printout of Grid's last command line, then what only ours knows. */
export function teamText(
  team: Pick<Team, 'slug' | 'createdAt' | 'role' | 'policy'>,
  members: readonly Pick<Member, 'name' | 'username'>[],
  invitations: readonly Pick<Invitation, 'email' | 'person' | 'role'>[],
): string {
  const lines = [
    `${team.slug} -  Created on ${day(team.createdAt)}`,
    `  Role: ${team.role ?? 'none'}`,
    '  Members',
    ...members.map((one) => `    ${one.name === '' ? '' : `${shown(one.name)} `}<${one.username}>`),
  ]
  if (invitations.length > 0) {
    lines.push(
      '  Invited',
      ...invitations.map((one) => `    ${one.person?.username ?? one.email ?? 'by link'} as ${one.role}`),
    )
  }
  lines.push(`  Policy: ${team.policy.preset}`)
  return `${lines.join('\n')}\n`
}

const teamColumns: Column<Team>[] = [
  { title: 'Team', cell: (team) => team.slug },
  { title: 'Role', cell: (team) => team.role ?? '-' },
  { title: 'Members', cell: (team) => team.members },
  { title: 'Created At', cell: (team) => minute(team.createdAt) },
]

const memberColumns: Column<Member>[] = [
  { title: 'Username', cell: (member) => member.username },
  { title: 'Name', cell: (member) => member.name },
  { title: 'Role', cell: (member) => member.role },
  { title: 'Joined At', cell: (member) => minute(member.joinedAt) },
]

function teamJson(team: Team): Record<string, unknown> {
  return {
    team: team.slug,
    role: team.role,
    members: team.members,
    created_at: team.createdAt,
    id: team.id,
    name: team.name,
    kind: team.kind,
    projects: team.projects,
    running: team.running,
    policy: team.policy.preset,
    admins: team.admins,
  }
}

function invitationJson(invitation: Invitation): Record<string, unknown> {
  return {
    id: invitation.id,
    email: invitation.email,
    username: invitation.person?.username ?? null,
    role: invitation.role,
    state: invitation.state,
    expires_at: invitation.expiresAt,
  }
}
