/** `grid team …`: what a team's admins do without a browser. */
import type { Command } from 'commander'
import {
  type ApiKey,
  columns,
  type EffectiveRow,
  effectiveTable,
  GridError,
  type Removal,
  type Team,
} from '@teamgrid/api'
import { confirm, policyOf } from '../acting.ts'
import { type Context, handle } from '../context.ts'
import type { Io } from '../io.ts'
import { memberJson } from '../member-json.ts'
import { positiveInteger } from '../options.ts'
import type { Column } from '../table.ts'
import { overridesOf, roleOf } from '../team-words.ts'
import { minute } from '../time.ts'

export function addTeamAdmin(team: Command, io: Io): void {
  team
    .command('create')
    .argument('<team>', 'short name: goes into addresses and stays')
    .option('--name <name>', 'display name')
    .option('--reason <reason>', 'for the organisation’s admins, where they have to grant it')
    .description('Make a team, or ask the organisation’s admins for it.')
    .action(handle(io, createTeam))
  team
    .command('invite')
    .argument('<team>')
    .argument('[who]', 'e-mail address or username; without it whoever gets the link')
    .option('--role <role>', 'admin, member or viewer', 'member')
    .option('--days <days>', 'how long it works', positiveInteger)
    .description('Invite somebody, with or without an account.')
    .action(handle(io, invite))
  team
    .command('resend')
    .argument('<team>')
    .argument('<who>', 'whom it is for, or the id of the invitation')
    .description('Send an invitation again; the old link ends.')
    .action(handle(io, resend))
  team
    .command('revoke')
    .argument('<team>')
    .argument('<who>', 'whom it is for, or the id of the invitation')
    .description('Withdraw an invitation.')
    .action(handle(io, revoke))
  team
    .command('accept')
    .argument('<team>')
    .description('Join a team that invited you.')
    .action(handle(io, accept))
  team
    .command('role')
    .argument('<team>')
    .argument('<username>')
    .argument('<role>', 'admin, member or viewer')
    .description('Change somebody’s role.')
    .action(handle(io, changeRole))
  for (const [name, says] of [
    ['remove', 'Remove a member: lists first what stops, ends and stays.'],
    ['leave', 'Leave a team.'],
  ] as const) {
    const command = team.command(name).argument('<team>')
    if (name === 'remove') command.argument('<username>')
    command.option('-y, --yes', 'do not ask').description(says)
    if (name === 'remove') command.action(handle(io, remove))
    else
      command.action(
        handle(io, async (context, slug: string, options: { yes?: boolean }) =>
          remove(context, slug, (await context.me()).user.username, options),
        ),
      )
  }
  team
    .command('reassign')
    .argument('<team>')
    .argument('<from>', 'who left')
    .argument('<to>', 'a member')
    .description('Give what a former member made to a member.')
    .action(handle(io, reassign))
  team
    .command('policy')
    .argument('<team>')
    .option('--preset <preset>', 'default, grid-2021, grid-2022 or wandb')
    .option('--set <switch=value...>', 'for example members_stop_runs=off')
    .description('Show the policy of a team, or change it.')
    .action(handle(io, policy))
  team
    .command('can')
    .argument('<team>')
    .description('Who may do what in a team, under its policy now.')
    .action(handle(io, whoMayDoWhat))
  const account = team.command('service-account').description('Accounts for automation inside one team.')
  account
    .command('create')
    .argument('<team>')
    .argument('<username>')
    .description('Make one; its key is printed once and never again.')
    .action(handle(io, createAccount))
  account
    .command('keys')
    .argument('<team>')
    .argument('<username>')
    .description('Its keys, without their secrets.')
    .action(handle(io, listKeys))
  account
    .command('new-key')
    .argument('<team>')
    .argument('<username>')
    .option('--name <name>', 'to tell it from others')
    .description('Make a further key.')
    .action(handle(io, newKey))
  account
    .command('rotate')
    .argument('<team>')
    .argument('<username>')
    .argument('<key>', 'id, or the last four characters')
    .description('Replace a key: the old one ends as the new one begins.')
    .action(handle(io, rotate))
  account
    .command('revoke')
    .argument('<team>')
    .argument('<username>')
    .argument('<key>', 'id, or the last four characters')
    .description('End a key.')
    .action(handle(io, revokeKey))
}

async function createTeam(context: Context, slug: string, options: { name?: string; reason?: string }) {
  const { client } = await context.connection()
  const name = options.name === undefined ? {} : { name: options.name }
  try {
    const made = await client.teams.create({ slug, ...name })
    context.done(`Made team ${made.slug}`)
    if (context.json) context.printJson({ team: made.slug, state: 'made' })
  } catch (error) {
    const mayAsk =
      error instanceof GridError && (error.code === 'forbidden' || error.code === 'policy_denied')
    if (!mayAsk || options.reason === undefined) {
      if (mayAsk) {
        throw new GridError(error.code, error.message, {
          ...error.details,
          hint: `To ask them: grid team create ${slug} --reason "what for"`,
        })
      }
      throw error
    }
    await client.organisation.requestTeam({ slug, ...name, reason: options.reason })
    context.done(`Asked the organisation’s admins for team ${slug}`)
    if (context.json) context.printJson({ team: slug, state: 'requested' })
  }
}

async function invite(
  context: Context,
  team: string,
  who: string | undefined,
  options: { role: string; days?: number },
) {
  const { client } = await context.connection()
  const made = await client.teams.invite({
    team,
    role: roleOf(options.role),
    ...(who === undefined ? {} : who.includes('@') ? { email: who } : { username: who }),
    ...(options.days === undefined ? {} : { expiresInDays: options.days }),
  })
  context.say(made.url)
  context.done(made.mail.says)
  if (context.json)
    context.printJson({ id: made.id, url: made.url, mail: made.mail.state, expires_at: made.expiresAt })
}

async function resend(context: Context, team: string, who: string) {
  const { client } = await context.connection()
  const made = await client.teams.resendInvitation({
    team,
    invitationId: await invitationId(context, team, who),
  })
  context.say(made.url)
  context.done(made.mail.says)
  if (context.json)
    context.printJson({ id: made.id, url: made.url, mail: made.mail.state, expires_at: made.expiresAt })
}

async function revoke(context: Context, team: string, who: string) {
  const { client } = await context.connection()
  const id = await invitationId(context, team, who)
  await client.teams.revokeInvitation({ team, invitationId: id })
  context.done('Withdrew the invitation')
  if (context.json) context.printJson({ id, revoked: true })
}

async function invitationId(context: Context, team: string, who: string): Promise<string> {
  const { client } = await context.connection()
  const wanted = who.toLowerCase()
  const found = (await client.teams.invitations({ team })).find(
    (each) =>
      each.id === who ||
      ((each.state === 'pending' || each.state === 'expired') &&
        (each.email?.toLowerCase() === wanted || each.person?.username.toLowerCase() === wanted)),
  )
  if (!found) throw new GridError('not_found', `There is no open invitation of ${who} to ${team}`)
  return found.id
}

async function accept(context: Context, team: string) {
  const { client } = await context.connection()
  const found = (await client.me.invitations()).find((each) => each.team.toLowerCase() === team.toLowerCase())
  if (!found) throw new GridError('not_found', `Team ${team} has not invited you, or no longer does`)
  const joined = await client.me.acceptInvitation({ invitationId: found.id })
  const { defaultTeamSwitch } = await client.me.get()
  context.done(`You are ${joined.role} of ${joined.slug}`)
  if (defaultTeamSwitch) {
    context.done(
      `New work that names no team goes to ${defaultTeamSwitch.to} from now on. To undo: grid user set-default-entity ${defaultTeamSwitch.from}`,
    )
  }
  if (context.json) context.printJson({ team: joined.slug, role: joined.role })
}

async function changeRole(context: Context, team: string, username: string, role: string) {
  const { client } = await context.connection()
  const changed = await client.teams.changeMember({ team, username, role: roleOf(role) })
  context.done(`${changed.username} is now ${changed.role} of ${team}`)
  if (context.json) context.printJson(memberJson(changed))
}

async function remove(context: Context, team: string, username: string, options: { yes?: boolean }) {
  const { client } = await context.connection()
  const removal = await client.teams.removal({ team, username })
  if (removal.refused !== null) throw new GridError('conflict', removal.refused)
  if (!options.yes) {
    await confirm(context, removalText(removal), `Remove ${removal.username} from ${team}?`, {
      not: 'Nobody was removed',
      yesHint: 'Say --yes to do it without being asked.',
    })
  }
  await client.teams.removeMember({ team, username })
  context.done(`${removal.username} is no longer in ${team}`)
  if (context.json) context.printJson({ team, username: removal.username, removed: true })
}

/** What stops, ends and stays, a line each. */
export function removalText({ stops, ends, stays }: Pick<Removal, 'stops' | 'ends' | 'stays'>): string {
  const part = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? '' : `${title}:\n${lines.map((line) => `  ${line}\n`).join('')}`
  return part('Stops', stops) + part('Ends', ends) + part('Stays', stays)
}

async function reassign(context: Context, team: string, username: string, to: string) {
  const { client } = await context.connection()
  const done = await client.teams.reassign({ team, username, to })
  context.done(`${done.experiments} experiments and ${done.projects} projects of ${username} are ${to}’s now`)
  if (context.json) context.printJson({ team, from: username, to, ...done })
}

async function policy(context: Context, slug: string, options: { preset?: string; set?: string[] }) {
  const { client } = await context.connection()
  const { preset, set } = options
  let team: Team = await client.teams.get({ team: slug })
  if (preset !== undefined || set !== undefined) {
    team = await client.teams.setPolicy({
      team: slug,
      ...(preset === undefined ? {} : { preset }),
      ...(set === undefined ? {} : { overrides: { ...team.policy.overrides, ...overridesOf(set) } }),
    })
  }
  if (context.json) {
    context.printJson({ team: team.slug, ...team.policy })
    return
  }
  context.printRows<[string, string | boolean]>({
    columns: [
      { title: `Policy (${team.policy.preset})`, cell: ([name]) => name },
      { title: 'Value', cell: ([, value]) => (value === true ? 'on' : value === false ? 'off' : value) },
      {
        title: 'Set By',
        cell: ([name]) =>
          team.policy.locked.includes(name) ? 'organisation' : name in team.policy.overrides ? 'team' : '-',
      },
    ],
    rows: Object.entries(team.policy.switches),
    json: ([name, value]) => ({ name, value }),
  })
}

const columnTitles = {
  O: 'Owner',
  M: 'Member',
  V: 'View-Only',
  S: 'Service',
  TA: 'Team Admin',
  OA: 'Org Admin',
  N: 'Others',
} as const

async function whoMayDoWhat(context: Context, slug: string) {
  const { client } = await context.connection()
  const team = await client.teams.get({ team: slug })
  const rows = effectiveTable(policyOf(team))
  context.printRows<EffectiveRow>({
    columns: [
      { title: `In ${team.slug}`, cell: (row) => row.says },
      ...columns.map((column): Column<EffectiveRow> => ({
        title: columnTitles[column],
        cell: (row) => row.answers[column].may,
      })),
    ],
    rows,
    json: (row) => ({
      row: row.number,
      activity: row.says,
      actions: row.actions,
      ...Object.fromEntries(
        columns.map((column) => [
          columnTitles[column].toLowerCase().replaceAll(/[ -]/g, '_'),
          row.answers[column].may,
        ]),
      ),
    }),
  })
}

async function createAccount(context: Context, team: string, username: string) {
  const { client } = await context.connection()
  const made = await client.teams.createServiceAccount({ team, username })
  context.say(made.key.secret)
  if (context.json)
    context.printJson({ ...memberJson(made.member), key: { id: made.key.id, secret: made.key.secret } })
}

async function listKeys(context: Context, team: string, username: string) {
  const { client } = await context.connection()
  const rows = await client.teams.serviceKeys({ team, username })
  context.printRows<ApiKey>({
    columns: [
      { title: 'Id', cell: (key) => key.id },
      { title: 'Name', cell: (key) => key.name },
      { title: 'Ends In', cell: (key) => key.hint },
      { title: 'Created At', cell: (key) => minute(key.createdAt) },
      { title: 'Last Used', cell: (key) => (key.lastUsedAt === null ? '-' : minute(key.lastUsedAt)) },
    ],
    rows,
    json: (key) => ({
      id: key.id,
      name: key.name,
      hint: key.hint,
      created_at: key.createdAt,
      last_used_at: key.lastUsedAt,
    }),
    empty: 'None.',
  })
}

async function newKey(context: Context, team: string, username: string, options: { name?: string }) {
  const { client } = await context.connection()
  const key = await client.teams.createServiceKey({
    team,
    username,
    ...(options.name === undefined ? {} : { name: options.name }),
  })
  context.say(key.secret)
  if (context.json) context.printJson({ id: key.id, name: key.name, secret: key.secret })
}

async function rotate(context: Context, team: string, username: string, key: string) {
  const { client } = await context.connection()
  const fresh = await client.teams.rotateServiceKey({
    team,
    username,
    keyId: await keyId(context, team, username, key),
  })
  context.say(fresh.secret)
  if (context.json) context.printJson({ id: fresh.id, name: fresh.name, secret: fresh.secret })
}

async function revokeKey(context: Context, team: string, username: string, key: string) {
  const { client } = await context.connection()
  const id = await keyId(context, team, username, key)
  await client.teams.revokeServiceKey({ team, username, keyId: id })
  context.done('Revoked the key')
  if (context.json) context.printJson({ id, revoked: true })
}

async function keyId(context: Context, team: string, username: string, key: string): Promise<string> {
  const { client } = await context.connection()
  const fitting = (await client.teams.serviceKeys({ team, username })).filter(
    (each) => each.id === key || each.hint === key,
  )
  if (fitting.length > 1) throw new GridError('invalid', `Several keys end in ${key}; give the id`)
  if (fitting.length === 0) throw new GridError('not_found', `${username} has no key ${key}`)
  return fitting[0]!.id
}
