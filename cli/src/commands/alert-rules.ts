/** `grid alerts rule …` and `grid alerts channel …`: who is told of what, kept without a browser. */
import { type Command, Option } from 'commander'
import { type AlertChannel, type AlertRule, GridError, wordsOfCondition } from '@teamgrid/api'
import { confirm } from '../acting.ts'
import { conditionHelp, conditionOf } from '../alert-condition.ts'
import { type Context, handle } from '../context.ts'
import type { Io } from '../io.ts'
import type { Column } from '../table.ts'
import { shown } from '../text.ts'
import { minute, seconds } from '../time.ts'

export function addAlertRules(alerts: Command, io: Io): void {
  alerts
    .command('rules')
    .argument('<team>', 'a team')
    .option('--project <project>', 'only those that look at this project')
    .description('Which rules there are: when who is told. The team’s, and mine.')
    .action(handle(io, listRules))
  const rule = alerts.command('rule').description('Make, mute, try or delete a rule.')
  rule
    .command('create')
    .argument('<team>', 'a team')
    .argument('<name>', 'to know it by')
    .requiredOption('--when <condition>', conditionHelp)
    .option('--project <project>', 'only in this project; without it in all of the team')
    .option('--mine', 'tell me alone; needs no admin')
    .addOption(
      new Option('--tell <people>', 'who is told personally: the experiment’s owner, the team, or nobody')
        .choices(['owner', 'team', 'nobody'])
        .default('owner'),
    )
    .option('--to <channel...>', 'channels of the team, by name')
    .addOption(
      new Option('--level <level>', 'how bad it is').choices(['info', 'warn', 'error']).default('warn'),
    )
    .option('--wait <time>', 'speak once per experiment in this time: 90s, 10m, 2h; 0 for every time', '1h')
    .option('--title <title>', 'instead of our own words')
    .option('--message <text>', 'to be said first')
    .description('Make a rule.')
    .action(handle(io, createRule))
  for (const [verb, enabled, says] of [
    ['mute', false, 'Keep a rule and let it say nothing.'],
    ['unmute', true, 'Let a rule speak again.'],
  ] as const)
    rule
      .command(verb)
      .argument('<team>', 'a team')
      .argument('<rule...>', 'names or ids')
      .description(says)
      .action(handle(io, (context, team: string, names: string[]) => mute(context, team, names, enabled)))
  rule
    .command('test')
    .argument('<team>', 'a team')
    .argument('<rule>', 'name or id')
    .description('Send what the rule would send to its channels, and to me instead of its people.')
    .action(handle(io, testRule))
  rule
    .command('delete')
    .argument('<team>', 'a team')
    .argument('<rule...>', 'names or ids')
    .option('-y, --yes', 'do not ask')
    .description('Delete rules.')
    .action(handle(io, deleteRules))
  addChannels(alerts, io)
}

function addChannels(alerts: Command, io: Io): void {
  alerts
    .command('channels')
    .argument('<team>', 'a team')
    .description('Where alerts of a team can go.')
    .action(handle(io, listChannels))
  const channel = alerts.command('channel').description('Make, try or delete a channel.')
  channel
    .command('create')
    .argument('<team>', 'a team')
    .argument('<name>', 'to know it by')
    .option('--email <addresses>', 'one or more, with commas between')
    .option('--slack <url>', 'a hook of Slack, Mattermost, Rocket.Chat or Discord (…/slack)')
    .option('--webhook <url>', 'a signed webhook; its secret is printed once and never again')
    .description('Make a channel.')
    .action(handle(io, createChannel))
  channel
    .command('test')
    .argument('<team>', 'a team')
    .argument('<channel>', 'name or id')
    .description('Send a test message.')
    .action(handle(io, testChannel))
  channel
    .command('delete')
    .argument('<team>', 'a team')
    .argument('<channel...>', 'names or ids')
    .option('-y, --yes', 'do not ask')
    .description('Delete channels; rules that used them stay.')
    .action(handle(io, deleteChannels))
}

async function listRules(context: Context, team: string, { project }: { project?: string }): Promise<void> {
  const { client } = await context.connection()
  const rows = await client.alerts.rules({ team, ...(project === undefined ? {} : { project }) })
  context.printRows({ columns: ruleColumns, rows, json: ruleJson, empty: 'None.' })
}

type NewRule = {
  when: string
  project?: string
  mine?: boolean
  tell: 'owner' | 'team' | 'nobody'
  to?: string[]
  level: 'info' | 'warn' | 'error'
  wait: string
  title?: string
  message?: string
}

async function createRule(context: Context, team: string, name: string, options: NewRule): Promise<void> {
  const condition = conditionOf(options.when)
  const waitSeconds = seconds(options.wait)
  const { client } = await context.connection()
  const channelIds = []
  for (const each of options.to ?? []) channelIds.push((await findChannel(context, team, each)).id)
  const rule = await client.alerts.createRule({
    team,
    name,
    condition,
    waitSeconds,
    channelIds,
    project: options.project ?? null,
    reach: options.mine ? 'mine' : 'team',
    audience: options.tell,
    level: options.level,
    title: options.title ?? null,
    message: options.message ?? null,
  })
  context.done(`Made rule ${shown(rule.name)}: ${shown(wordsOfCondition(rule.condition))}`)
  if (context.json) context.printJson(ruleJson(rule))
}

async function mute(context: Context, team: string, names: string[], enabled: boolean): Promise<void> {
  const rules = await findRules(context, team, names)
  const { client } = await context.connection()
  const rows: AlertRule[] = []
  for (const { id } of rules) {
    const rule = await client.alerts.changeRule({ team, ruleId: id, enabled })
    rows.push(rule)
    context.done(`${enabled ? 'Unmuted' : 'Muted'} ${shown(rule.name)}`)
  }
  if (context.json) context.printJson(rows.map(ruleJson))
}

async function testRule(context: Context, team: string, name: string): Promise<void> {
  const [rule] = await findRules(context, team, [name])
  const { client } = await context.connection()
  const { deliveries } = await client.alerts.testRule({ team, ruleId: rule!.id })
  context.done(`Sent to ${deliveries} ${deliveries === 1 ? 'channel' : 'channels'}, and to you`)
  if (context.json) context.printJson({ ...ruleJson(rule!), deliveries })
}

async function deleteRules(
  context: Context,
  team: string,
  names: string[],
  options: { yes?: boolean },
): Promise<void> {
  const rules = await findRules(context, team, names)
  if (!options.yes)
    await confirm(
      context,
      `Of ${team}: ${rules.map(({ name }) => shown(name)).join(', ')}.\n`,
      'Delete it?',
      {
        not: 'Nothing was deleted',
        yesHint: 'Say --yes to delete without being asked, or mute it: grid alerts rule mute',
      },
    )
  const { client } = await context.connection()
  for (const { id, name } of rules) {
    await client.alerts.deleteRule({ team, ruleId: id })
    context.done(`Deleted ${shown(name)}`)
  }
  if (context.json) context.printJson(rules.map((rule) => ({ ...ruleJson(rule), deleted: true })))
}

async function listChannels(context: Context, team: string): Promise<void> {
  const { client } = await context.connection()
  const rows = await client.alerts.channels({ team })
  context.printRows({ columns: channelColumns, rows, json: channelJson, empty: 'None.' })
}

async function createChannel(
  context: Context,
  team: string,
  name: string,
  options: Partial<Record<AlertChannel['kind'], string>>,
): Promise<void> {
  const given = (['email', 'slack', 'webhook'] as const).filter((kind) => options[kind] !== undefined)
  const [kind] = given
  if (kind === undefined || given.length > 1)
    throw new GridError('invalid', 'Say where it leads: one of --email, --slack or --webhook')
  const { client } = await context.connection()
  const made = await client.alerts.createChannel({ team, name, kind, target: options[kind]! })
  context.done(`Made channel ${shown(made.name)} to ${shown(made.hint)}`)
  if (context.json) context.printJson({ ...channelJson(made), secret: made.secret })
  else if (made.secret !== null) context.say(made.secret)
}

async function testChannel(context: Context, team: string, name: string): Promise<void> {
  const channel = await findChannel(context, team, name)
  const { client } = await context.connection()
  await client.alerts.testChannel({ team, channelId: channel.id })
  context.done(`Sent a test message to ${shown(channel.name)}`)
  if (context.json) context.printJson(channelJson(channel))
}

async function deleteChannels(
  context: Context,
  team: string,
  names: string[],
  options: { yes?: boolean },
): Promise<void> {
  const channels: AlertChannel[] = []
  for (const name of names) channels.push(await findChannel(context, team, name))
  if (!options.yes)
    await confirm(
      context,
      `Of ${team}: ${channels.map((each) => shown(each.name)).join(', ')}. Rules will no longer reach it.\n`,
      'Delete it?',
      { not: 'Nothing was deleted', yesHint: 'Say --yes to delete without being asked.' },
    )
  const { client } = await context.connection()
  for (const { id, name } of channels) {
    await client.alerts.deleteChannel({ team, channelId: id })
    context.done(`Deleted ${shown(name)}`)
  }
  if (context.json) context.printJson(channels.map((each) => ({ ...channelJson(each), deleted: true })))
}

/** All are found before anything is done to one. */
async function findRules(context: Context, team: string, names: readonly string[]): Promise<AlertRule[]> {
  const { client } = await context.connection()
  const rules = await client.alerts.rules({ team })
  return names.map((name) =>
    oneOf('rule', rules, name, `See which there are with: grid alerts rules ${team}`),
  )
}

async function findChannel(context: Context, team: string, name: string): Promise<AlertChannel> {
  const { client } = await context.connection()
  const channels = await client.alerts.channels({ team })
  return oneOf('channel', channels, name, `See which there are with: grid alerts channels ${team}`)
}

/** By id, or by a name that is no other's. */
function oneOf<Thing extends { id: string; name: string }>(
  kind: string,
  things: readonly Thing[],
  name: string,
  hint: string,
): Thing {
  const byId = things.find(({ id }) => id === name)
  const byName = things.filter((each) => each.name.toLowerCase() === name.toLowerCase())
  const [found] = byId ? [byId] : byName
  if (found === undefined) throw new GridError('not_found', `There is no ${kind} "${name}"`, { hint })
  if (!byId && byName.length > 1)
    throw new GridError('invalid', `There are ${byName.length} ${kind}s "${name}": name one by its id`, {
      hint: byName.map(({ id }) => id).join(', '),
    })
  return found
}

const ruleColumns: Column<AlertRule>[] = [
  { title: 'Name', cell: (row) => row.name },
  { title: 'Project', cell: (row) => row.project ?? 'all' },
  { title: 'When', cell: (row) => wordsOfCondition(row.condition) },
  { title: 'Tells', cell: (row) => (row.reach === 'mine' ? 'me' : row.audience) },
  { title: 'Channels', cell: (row) => row.channelIds.length },
  { title: 'On', cell: (row) => (row.enabled ? 'yes' : 'muted') },
  { title: 'Spoke Last', cell: (row) => (row.lastFiredAt === null ? '-' : minute(row.lastFiredAt)) },
]

const channelColumns: Column<AlertChannel>[] = [
  { title: 'Name', cell: (row) => row.name },
  { title: 'Kind', cell: (row) => row.kind },
  { title: 'Leads To', cell: (row) => row.hint },
  { title: 'Created At', cell: (row) => minute(row.createdAt) },
]

function ruleJson(row: AlertRule): Record<string, unknown> {
  return {
    id: row.id,
    name: row.name,
    project: row.project,
    when: wordsOfCondition(row.condition),
    condition: row.condition,
    enabled: row.enabled,
    reach: row.reach,
    tell: row.reach === 'mine' ? 'me' : row.audience,
    channels: row.channelIds,
    level: row.level,
    wait_seconds: row.waitSeconds,
    last_fired_at: row.lastFiredAt,
  }
}

function channelJson(row: AlertChannel): Record<string, unknown> {
  return { id: row.id, name: row.name, kind: row.kind, leads_to: row.hint, created_at: row.createdAt }
}
