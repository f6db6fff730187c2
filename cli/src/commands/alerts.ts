import type { Command } from 'commander'
import type { AlertRule, Notification } from '@teamgrid/api'
import { type Context, handle } from '../context.ts'
import type { Io } from '../io.ts'
import { positiveInteger } from '../options.ts'
import type { Column } from '../table.ts'
import { minute } from '../time.ts'

type ListOptions = { unread?: boolean; limit?: number }

export function addAlerts(program: Command, io: Io): void {
  const alerts = program
    .command('alerts')
    .option('--unread', 'only what is new')
    .option('--limit <count>', 'at most so many rows', positiveInteger)
    .summary('what I was told')
    .description('Notifications of my teams, newest first.')
    .action(handle(io, showAlerts))
  alerts.command('read').description('Mark everything as read.').action(handle(io, markRead))
  alerts
    .command('rules')
    .argument('<team>', 'a team')
    .description('Which rules there are: when who is told.')
    .action(handle(io, showRules))
}

async function showAlerts(context: Context, options: ListOptions): Promise<void> {
  const { client } = await context.connection()
  const { items } = await client.notifications.list({
    limit: Math.min(options.limit ?? 50, 500),
    ...(options.unread ? { unread: true } : {}),
  })
  context.printRows({ columns, rows: items, json: notificationJson, empty: 'None.' })
}

async function markRead(context: Context): Promise<void> {
  const { client } = await context.connection()
  const { unread } = await client.notifications.read({})
  if (context.json) context.printJson({ unread })
  else context.io.stdout.write('All read.\n')
}

async function showRules(context: Context, team: string): Promise<void> {
  const { client } = await context.connection()
  const rules = await client.alerts.rules({ team })
  context.printRows({ columns: ruleColumns, rows: rules, json: ruleJson, empty: 'None.' })
}

const columns: Column<Notification>[] = [
  { title: 'When', cell: (row) => minute(row.createdAt) },
  { title: 'New', cell: (row) => (row.readAt === null ? '*' : '') },
  { title: 'Team', cell: (row) => row.team },
  { title: 'Level', cell: (row) => row.level },
  { title: 'Title', cell: (row) => row.title },
]

const ruleColumns: Column<AlertRule>[] = [
  { title: 'Name', cell: (row) => row.name },
  { title: 'Project', cell: (row) => row.project ?? 'all' },
  { title: 'When', cell: (row) => row.condition.kind },
  { title: 'Metric', cell: (row) => ('metric' in row.condition ? row.condition.metric : '') },
  { title: 'On', cell: (row) => (row.enabled ? 'yes' : 'no') },
  { title: 'Whose', cell: (row) => (row.reach === 'mine' ? 'mine' : 'team') },
]

function notificationJson(row: Notification): Record<string, unknown> {
  return {
    id: row.id,
    kind: row.kind,
    level: row.level,
    team: row.team,
    title: row.title,
    text: row.text,
    link: row.link,
    created_at: row.createdAt,
    read_at: row.readAt,
  }
}

function ruleJson(row: AlertRule): Record<string, unknown> {
  return {
    id: row.id,
    name: row.name,
    project: row.project,
    condition: row.condition,
    enabled: row.enabled,
    reach: row.reach,
    last_fired_at: row.lastFiredAt,
  }
}
