import type { Command } from 'commander'
import type { Notification } from '@teamgrid/api'
import { type Context, handle } from '../context.ts'
import type { Io } from '../io.ts'
import { positiveInteger } from '../options.ts'
import type { Column } from '../table.ts'
import { minute } from '../time.ts'
import { addAlertRules } from './alert-rules.ts'

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
  addAlertRules(alerts, io)
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

const columns: Column<Notification>[] = [
  { title: 'When', cell: (row) => minute(row.createdAt) },
  { title: 'New', cell: (row) => (row.readAt === null ? '*' : '') },
  { title: 'Team', cell: (row) => row.team },
  { title: 'Level', cell: (row) => row.level },
  { title: 'Title', cell: (row) => row.title },
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
