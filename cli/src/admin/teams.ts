import type { Command } from 'commander'
import type { Invitation, Member, Team } from '@teamgrid/api'
import type { Io } from '../io.ts'
import { positiveInteger } from '../options.ts'
import type { Column } from '../table.ts'
import { minute } from '../time.ts'
import { adminCommand } from './command.ts'
import { keyJson } from './people.ts'
import { removalText } from '../commands/team-admin.ts'
import { memberJson } from '../member-json.ts'
import { overridesOf, roleOf } from '../team-words.ts'

export function addTeamCommands(admin: Command, io: Io): void {
  const team = admin.command('team').description('Teams.')
  adminCommand<{ name?: string; admin?: string }>(team, io, {
    name: 'create',
    description: 'Make a team. Its short name goes into addresses and stays.',
    fields: ['team'],
    options: [
      ['--name <name>', 'display name'],
      ['--admin <username>', 'its first admin'],
    ],
    run: async ({ client, json, printJson, done }, { team: slug }, { name, admin: first }) => {
      const made = await client.teams.create({
        slug: slug!,
        ...(name === undefined ? {} : { name }),
        ...(first === undefined ? {} : { admin: first }),
      })
      done(`Made team ${made.slug}`)
      if (json) printJson(teamJson(made))
    },
  })
  adminCommand(team, io, {
    name: 'list',
    description: 'Every team.',
    fields: [],
    run: async ({ client, printRows }) => {
      const rows = await client.teams.list()
      printRows({ columns: teamColumns, rows, json: teamJson, empty: 'None.' })
    },
  })
  adminCommand<{ preset?: string; set?: string[] }>(team, io, {
    name: 'policy',
    description: 'Show the policy of a team, or choose a preset and single switches.',
    fields: ['team'],
    options: [
      ['--preset <preset>', 'default, grid-2021, grid-2022 or wandb'],
      ['--set <switch=value...>', 'for example members_stop_runs=off'],
    ],
    run: async ({ client, json, printJson, printRows }, { team: slug }, { preset, set }) => {
      const overrides = set ? overridesOf(set) : undefined
      const changed =
        preset === undefined && overrides === undefined
          ? await client.teams.get({ team: slug! })
          : await client.teams.setPolicy({
              team: slug!,
              ...(preset === undefined ? {} : { preset }),
              ...(overrides === undefined ? {} : { overrides }),
            })
      if (json) {
        printJson({ team: changed.slug, ...changed.policy })
        return
      }
      const rows = Object.entries(changed.policy.switches)
      printRows<[string, string | boolean]>({
        columns: [
          { title: `Policy (${changed.policy.preset})`, cell: ([name]) => name },
          { title: 'Value', cell: ([, value]) => (value === true ? 'on' : value === false ? 'off' : value) },
        ],
        rows,
        json: ([name, value]) => ({ name, value }),
      })
    },
  })
}

export function addMemberCommands(admin: Command, io: Io): void {
  const member = admin.command('member').description('Who is in a team, and as what.')
  adminCommand(member, io, {
    name: 'add',
    description: 'Put an existing person into a team: admin, member or viewer (member).',
    fields: ['team', 'username', 'role?'],
    run: async ({ client, json, printJson, done }, { team, username, role }) => {
      const added = await client.teams.addMember({
        team: team!,
        username: username!,
        role: roleOf(role ?? 'member'),
      })
      done(`${added.username} is now ${added.role} of ${team}`)
      if (json) printJson(memberJson(added))
    },
  })
  adminCommand(member, io, {
    name: 'list',
    description: 'Members of a team.',
    fields: ['team'],
    run: async ({ client, printRows }, { team }) => {
      const rows = await client.teams.members({ team: team! })
      printRows({ columns: memberColumns, rows, json: memberJson, empty: 'None.' })
    },
  })
  adminCommand(member, io, {
    name: 'role',
    description: 'Change a role: admin, member or viewer.',
    fields: ['team', 'username', 'role'],
    run: async ({ client, json, printJson, done }, { team, username, role }) => {
      const changed = await client.teams.changeMember({
        team: team!,
        username: username!,
        role: roleOf(role!),
      })
      done(`${changed.username} is now ${changed.role} of ${team}`)
      if (json) printJson(memberJson(changed))
    },
  })
  adminCommand(member, io, {
    name: 'removal',
    description: 'What removing a member would stop, end and leave; changes nothing.',
    fields: ['team', 'username'],
    run: async ({ client, io, json, printJson }, { team, username }) => {
      const removal = await client.teams.removal({ team: team!, username: username! })
      if (json) printJson(removal)
      else io.stdout.write(`${removal.refused === null ? '' : `${removal.refused}\n`}${removalText(removal)}`)
    },
  })
  adminCommand(member, io, {
    name: 'reassign',
    description: 'Give what a former member made in a team to a member.',
    fields: ['team', 'username', 'to'],
    run: async ({ client, json, printJson, done }, { team, username, to }) => {
      const given = await client.teams.reassign({ team: team!, username: username!, to: to! })
      done(`${given.experiments} experiments and ${given.projects} projects of ${username} are ${to}’s now`)
      if (json) printJson({ team, from: username, to, ...given })
    },
  })
  adminCommand(member, io, {
    name: 'remove',
    description: 'End every access of a member to a team at once; their experiments stay.',
    fields: ['team', 'username'],
    run: async ({ client, json, printJson, done }, { team, username }) => {
      await client.teams.removeMember({ team: team!, username: username! })
      done(`${username} is no longer in ${team}`)
      if (json) printJson({ team, username, removed: true })
    },
  })
}

export function addInviteCommands(admin: Command, io: Io): void {
  const invite = admin.command('invite').description('Links by which people join a team.')
  adminCommand<{ email?: string; username?: string; role?: string; days?: number }>(invite, io, {
    name: 'create',
    description: 'Make a link; it is printed once and never again.',
    fields: ['team'],
    options: [
      ['--email <email>', 'only for this address'],
      ['--username <username>', 'only for this account'],
      ['--role <role>', 'admin, member or viewer (member)'],
      ['--days <days>', 'how long it works (7)', positiveInteger],
    ],
    run: async ({ client, json, printJson, say, done }, { team }, { email, username, role, days }) => {
      const made = await client.teams.invite({
        team: team!,
        role: roleOf(role ?? 'member'),
        ...(email === undefined ? {} : { email }),
        ...(username === undefined ? {} : { username }),
        ...(days === undefined ? {} : { expiresInDays: days }),
      })
      say(made.url)
      if (made.mail.state === 'sent') done(made.mail.says)
      if (json) printJson({ ...invitationJson(made), team, url: made.url, mail: made.mail.state })
    },
  })
  adminCommand(invite, io, {
    name: 'list',
    description: 'Invitations of a team.',
    fields: ['team'],
    run: async ({ client, printRows }, { team }) => {
      const rows = await client.teams.invitations({ team: team! })
      printRows({ columns: invitationColumns, rows, json: invitationJson, empty: 'None.' })
    },
  })
  adminCommand(invite, io, {
    name: 'resend',
    description: 'Send an invitation again, with a new link; the old one ends.',
    fields: ['team', 'id'],
    run: async ({ client, json, printJson, say, done }, { team, id }) => {
      const made = await client.teams.resendInvitation({ team: team!, invitationId: id! })
      say(made.url)
      if (made.mail.state === 'sent') done(made.mail.says)
      if (json) printJson({ ...invitationJson(made), team, url: made.url, mail: made.mail.state })
    },
  })
  adminCommand(invite, io, {
    name: 'revoke',
    description: 'Make a link useless.',
    fields: ['team', 'id'],
    run: async ({ client, json, printJson, done }, { team, id }) => {
      await client.teams.revokeInvitation({ team: team!, invitationId: id! })
      done('Revoked the invitation')
      if (json) printJson({ team, id, revoked: true })
    },
  })
}

export function addServiceAccountCommands(admin: Command, io: Io): void {
  const account = admin.command('service-account').description('Accounts for automation inside one team.')
  adminCommand<{ name?: string }>(account, io, {
    name: 'create',
    description: 'Make a service account; its key is printed once and never again.',
    fields: ['team', 'username'],
    options: [['--name <name>', 'display name']],
    run: async ({ client, json, printJson, say }, { team, username }, { name }) => {
      const made = await client.teams.createServiceAccount({
        team: team!,
        username: username!,
        ...(name === undefined ? {} : { name }),
      })
      say(made.key.secret)
      if (json)
        printJson({ ...memberJson(made.member), key: { ...keyJson(made.key), secret: made.key.secret } })
    },
  })
  adminCommand(account, io, {
    name: 'rotate',
    description: 'Replace a key: the old one ends as the new one begins; it is printed once.',
    fields: ['team', 'username', 'key-id'],
    run: async ({ client, json, printJson, say }, fields) => {
      const key = await client.teams.rotateServiceKey({
        team: fields['team']!,
        username: fields['username']!,
        keyId: fields['key-id']!,
      })
      say(key.secret)
      if (json) printJson({ ...keyJson(key), secret: key.secret })
    },
  })
}

const teamColumns: Column<Team>[] = [
  { title: 'Team', cell: (team) => team.slug },
  { title: 'Name', cell: (team) => team.name },
  { title: 'Kind', cell: (team) => team.kind },
  { title: 'Members', cell: (team) => team.members },
  { title: 'Policy', cell: (team) => team.policy.preset },
  { title: 'Created At', cell: (team) => minute(team.createdAt) },
]

const memberColumns: Column<Member>[] = [
  { title: 'Username', cell: (member) => member.username },
  { title: 'Name', cell: (member) => member.name },
  { title: 'Role', cell: (member) => member.role },
  { title: 'Joined At', cell: (member) => minute(member.joinedAt) },
]

const invitationColumns: Column<Invitation>[] = [
  { title: 'Id', cell: (invitation) => invitation.id },
  { title: 'For', cell: (invitation) => invitation.person?.username ?? invitation.email ?? '-' },
  { title: 'Role', cell: (invitation) => invitation.role },
  { title: 'State', cell: (invitation) => invitation.state },
  { title: 'Created By', cell: (invitation) => invitation.createdBy?.username ?? '-' },
  { title: 'Expires At', cell: (invitation) => minute(invitation.expiresAt) },
]

function teamJson(team: Team): Record<string, unknown> {
  return {
    team: team.slug,
    name: team.name,
    kind: team.kind,
    members: team.members,
    policy: team.policy.preset,
    created_at: team.createdAt,
    id: team.id,
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
    created_by: invitation.createdBy?.username ?? null,
    expires_at: invitation.expiresAt,
    created_at: invitation.createdAt,
  }
}
