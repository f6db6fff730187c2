import type { Command } from 'commander'
import type { StatusRow } from '@teamgrid/api'
import { type Context, handle } from '../context.ts'
import type { Io } from '../io.ts'
import { positiveInteger } from '../options.ts'
import type { Column } from '../table.ts'
import { minute } from '../time.ts'
import { hintIfAlone, isAboutOthers, listRuns, runJson } from './status.ts'

type HistoryOptions = { global?: boolean; user?: string; team?: string; limit?: number }

export function addHistory(program: Command, io: Io): void {
  program
    .command('history')
    .option('--global', 'runs of everybody in my teams')
    .option('--user <username>', "only this person's runs")
    .option('--team <team>', 'only runs of this team')
    .option('--limit <count>', 'at most so many rows', positiveInteger)
    .summary('what ran before')
    .description('Runs of which nothing is active any more, newest first.')
    .action(handle(io, showHistory))
}

async function showHistory(context: Context, options: HistoryOptions): Promise<void> {
  const { rows } = await listRuns(context, { ...options, show: 'history' })
  await hintIfAlone(context, options)
  context.printRows({ columns: historyColumns(isAboutOthers(options)), rows, json: runJson, empty: 'None.' })
}

export function historyColumns(isGlobal: boolean): Column<StatusRow>[] {
  return [
    { title: 'Run', cell: (row) => row.run },
    ...(isGlobal ? [{ title: 'Created By', cell: (row: StatusRow) => row.createdBy.username }] : []),
    { title: 'Created At', cell: (row) => minute(row.createdAt) },
    { title: 'Experiments', cell: (row) => row.experiments },
    { title: 'Failed', cell: (row) => row.failed },
    { title: 'Stopped', cell: (row) => row.stopped },
    { title: 'Completed', cell: (row) => row.completed },
  ]
}
