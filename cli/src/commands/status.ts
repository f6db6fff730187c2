import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Command, Option } from 'commander'
import {
  type Experiment,
  type ExperimentDetails,
  GridError,
  type RunDetails,
  type RunExperiment,
  type StatusRow,
} from '@teamgrid/api'
import type { Context } from '../context.ts'
import { handle } from '../context.ts'
import { csv } from '../csv.ts'
import { experimentJson } from '../experiment-json.ts'
import type { Io } from '../io.ts'
import { positiveInteger } from '../options.ts'
import { type Resolved, resolve } from '../resolve.ts'
import { findSubmission } from '../submissions.ts'
import { statusOf } from '../states.ts'
import { type Column, table } from '../table.ts'
import { shown } from '../text.ts'
import { day, duration } from '../time.ts'

type StatusOptions = {
  global?: boolean
  user?: string
  team?: string
  limit?: number
  watch?: boolean
  export?: 'csv' | 'json'
  params?: boolean
}

/** How often `--watch` looks again. */
const watchMilliseconds = 2000
/** Details of so many experiments are asked for at once. */
const detailsAtOnce = 8
export const pageMax = 500

export function addStatus(program: Command, io: Io): void {
  program
    .command('status')
    .argument('[run]', '[user:]run, to see its experiments')
    .option('--global', 'runs of everybody in my teams')
    .option('--user <username>', "only this person's runs")
    .option('--team <team>', 'only runs of this team')
    .option('--limit <count>', 'at most so many rows', positiveInteger)
    .option('--watch', 'keep looking until Ctrl-C')
    .addOption(new Option('--export <format>', 'also write a file').choices(['csv', 'json']))
    .option('--params', 'with a run: a column for each parameter')
    .summary('what runs now')
    .description('Runs that are active, or the experiments of one run.')
    .action(handle(io, showStatus))
}

async function showStatus(context: Context, run: string | undefined, options: StatusOptions): Promise<void> {
  const look = run === undefined ? () => runs(context, options) : () => experimentsOf(context, run, options)
  let view = await look()
  if (options.export) await exportFile(context, options.export, view.json)
  show(context, view)
  if (!options.watch) return
  for (;;) {
    await context.io.pause(watchMilliseconds)
    view = await look()
    if (context.io.stdout.isTTY && !context.json) context.io.stdout.write('\u001b[H\u001b[2J')
    show(context, view)
  }
}

type View = { json: Record<string, unknown>[]; text: () => string }

function show(context: Context, view: View): void {
  if (context.json) context.printJson(view.json)
  else context.io.stdout.write(view.text())
}

async function runs(context: Context, options: StatusOptions): Promise<View> {
  if (options.params) throw new GridError('invalid', '--params needs the name of a run')
  const isGlobal = isAboutOthers(options)
  const { rows, inactive } = await listRuns(context, { ...options, show: 'active' })
  await hintIfAlone(context, options)
  return {
    json: rows.map(runJson),
    text: () =>
      `${table(runColumns(isGlobal), rows, context.tableStyle())}${inactive} Run(s) are not active. Use \`grid history\` to view your Run history.\n`,
  }
}

/** `--user` and `--team` ask about others as much as `--global` does. */
export function isAboutOthers(options: { global?: boolean; user?: string; team?: string }): boolean {
  return Boolean(options.global || options.user || options.team)
}

/** `--global` without a team shows the same as without it; say so rather than leave people wondering. */
export async function hintIfAlone(context: Context, options: { global?: boolean }): Promise<void> {
  if (!options.global || context.json) return
  const me = await context.me()
  if (me.teams.some((team) => team.kind === 'team')) return
  context.io.stderr.write('You are in no team yet: --global shows only your own runs.\n')
}

/** All pages of `grid status` or `grid history`, or the first `limit` rows. */
export async function listRuns(
  context: Context,
  options: { show: 'active' | 'history'; global?: boolean; user?: string; team?: string; limit?: number },
): Promise<{ rows: StatusRow[]; inactive: number }> {
  const { client } = await context.connection()
  const user = options.user === 'me' ? (await context.me()).user.username : options.user
  const rows: StatusRow[] = []
  let cursor: string | undefined
  let inactive = 0
  for (;;) {
    const limit = Math.min(pageMax, (options.limit ?? Infinity) - rows.length)
    const page = await client.experiments.status({
      scope: isAboutOthers(options) ? 'global' : 'mine',
      show: options.show,
      limit,
      ...(cursor ? { cursor } : {}),
      ...(options.team ? { team: options.team } : {}),
      ...(user ? { user } : {}),
    })
    rows.push(...page.items)
    inactive = page.inactive
    if (page.nextCursor === null || rows.length >= (options.limit ?? Infinity)) return { rows, inactive }
    cursor = page.nextCursor
  }
}

export function runColumns(isGlobal: boolean): Column<StatusRow>[] {
  return [
    { title: 'Run', cell: (row) => row.run },
    { title: 'Status', cell: (row) => row.status },
    ...(isGlobal ? [{ title: 'Created By', cell: (row: StatusRow) => row.createdBy.username }] : []),
    { title: 'Duration', cell: (row) => duration(row.durationSeconds) },
    { title: 'Experiments', cell: (row) => row.experiments },
    { title: 'Running', cell: (row) => row.running },
    { title: 'Queued', cell: (row) => row.queued },
    { title: 'Completed', cell: (row) => row.completed },
    { title: 'Failed', cell: (row) => row.failed },
    { title: 'Stopped', cell: (row) => row.stopped },
  ]
}

/** A run as `-o json` prints it: the titles of all tables that show it, then what identifies it. */
export function runJson(row: StatusRow): Record<string, unknown> {
  return {
    run: row.run,
    status: row.status,
    created_by: row.createdBy.username,
    created_at: row.createdAt,
    duration: duration(row.durationSeconds),
    experiments: row.experiments,
    running: row.running,
    queued: row.queued,
    completed: row.completed,
    failed: row.failed,
    stopped: row.stopped,
    duration_seconds: row.durationSeconds,
    team: row.team,
    project: row.project,
  }
}

async function experimentsOf(context: Context, run: string, options: StatusOptions): Promise<View> {
  const resolved = await resolve(context, run, options.team)
  proveRun(run, resolved)
  const submitted = await findSubmission(context, run, options.team)
  if (submitted) return submittedView(context, submitted, options)
  const chosen = resolved.experiments.slice(0, options.limit)
  const rows = await detailsOf(context, chosen)
  return {
    json: rows.map((row) => ({ ...experimentJson(row), command: row.command, params: row.config })),
    text: () => experimentsText(context, rows, options.params),
  }
}

/** Of what was submitted more is known: how long it waited, and what the search chose. */
function submittedView(context: Context, run: RunDetails, options: StatusOptions): View {
  const rows = run.experimentList.slice(0, options.limit)
  const columns: Column<RunExperiment>[] = [
    { title: 'Experiment', cell: (row) => row.name },
    { title: 'Status', cell: (row) => statusOf[row.state] },
    { title: 'Queued Duration', cell: (row) => duration(row.queuedSeconds) },
    { title: 'Run Duration', cell: (row) => (row.runSeconds > 0 ? duration(row.runSeconds) : '-') },
    { title: 'Command', cell: (row) => row.command },
  ]
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.parameters)))]
  const wide = [
    ...columns,
    ...names.map((name) => ({
      title: shown(name),
      cell: (row: RunExperiment) => row.parameters[name] ?? '-',
    })),
  ]
  const text = () => {
    const style = context.tableStyle()
    const full = table(wide, rows, { ...style, columns: Infinity, color: false })
    const fits = style.boxes && full.indexOf('\n') <= style.columns
    // Why it waits, or how it ended, where that is more than the status says.
    const notes = rows
      .filter((row) => row.attempt?.message && row.state !== 'finished')
      .map((row) => `${row.name}: ${shown(row.attempt!.message)}\n`)
    return table(options.params || fits ? wide : columns, rows, style) + notes.join('')
  }
  return {
    json: rows.map((row) => ({
      experiment: row.name,
      experiment_id: row.id,
      status: statusOf[row.state],
      queued_duration: duration(row.queuedSeconds),
      run_duration: duration(row.runSeconds),
      command: row.command,
      params: row.parameters,
      message: row.attempt?.message ?? '',
      exit_code: row.exitCode,
    })),
    text,
  }
}

/** @throws GridError invalid, when the name is that of one experiment inside a run. */
export function proveRun(text: string, resolved: Resolved): void {
  const group = resolved.experiments[0]?.group
  if (resolved.kind === 'run' || !group) return
  throw new GridError('invalid', `Must pass a Run name; "${text}" is an experiment`, {
    hint: `Its run: grid status ${group}. Its log: grid logs ${text}`,
  })
}

async function detailsOf(context: Context, chosen: readonly Experiment[]): Promise<ExperimentDetails[]> {
  const { client } = await context.connection()
  const rows: ExperimentDetails[] = []
  for (let from = 0; from < chosen.length; from += detailsAtOnce) {
    const some = chosen.slice(from, from + detailsAtOnce)
    rows.push(
      ...(await Promise.all(
        some.map(({ team, project, slug }) => client.experiments.get({ team, project, experiment: slug })),
      )),
    )
  }
  return rows
}

const experimentColumns: Column<ExperimentDetails>[] = [
  { title: 'Experiment', cell: (row) => row.name },
  { title: 'Status', cell: (row) => statusOf[row.state] },
  // An experiment that its script started itself never waited in a queue.
  {
    title: 'Queued Duration',
    cell: (row) => (row.state === 'pending' ? duration(row.durationSeconds) : '-'),
  },
  { title: 'Run Duration', cell: (row) => (row.state === 'pending' ? '-' : duration(row.durationSeconds)) },
  { title: 'Command', cell: (row) => row.command ?? row.program ?? '-' },
]

/** Parameters become columns when asked for, or at a terminal that is wide enough for all of them. */
function experimentsText(context: Context, rows: ExperimentDetails[], params: boolean | undefined): string {
  const style = context.tableStyle()
  const narrow = table(experimentColumns, rows, style)
  if (params === undefined && !style.boxes) return narrow
  const keys = [...new Set(rows.flatMap((row) => Object.keys(row.config)))]
    .filter((key) => !key.startsWith('_'))
    .sort()
  const columns = [
    ...experimentColumns,
    ...keys.map((key) => ({
      title: shown(key),
      cell: (row: ExperimentDetails) => parameter(row.config[key]),
    })),
  ]
  if (params) return table(columns, rows, style)
  const full = table(columns, rows, { ...style, columns: Infinity, color: false })
  return full.indexOf('\n') <= style.columns ? table(columns, rows, style) : narrow
}

function parameter(value: unknown): string {
  if (value === undefined || value === null) return '-'
  return typeof value === 'string' ? value : JSON.stringify(value)
}

async function exportFile(
  context: Context,
  format: 'csv' | 'json',
  rows: Record<string, unknown>[],
): Promise<void> {
  const now = context.io.now()
  const two = (value: number) => String(value).padStart(2, '0')
  // Windows has no colons in file names.
  const colon = process.platform === 'win32' ? '-' : ':'
  const name = `grid-status-${day(now)}_${two(now.getHours())}${colon}${two(now.getMinutes())}.${format}`
  const text = format === 'csv' ? csv(rows) : `${JSON.stringify(rows, null, 2)}\n`
  try {
    await writeFile(join(context.io.cwd, name), text)
  } catch (error) {
    throw new GridError('unavailable', `Cannot write ${name}: ${(error as Error).message}`, { cause: error })
  }
  context.io.stderr.write(`Exported status to file: ${name}\n`)
}
