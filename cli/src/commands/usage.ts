/** `grid usage`: what a team's machines cost, its credits and its budgets. Credits are shown, microcredits are printed as JSON. */
import { type Command, Option } from 'commander'
import {
  type Balance,
  type Budget,
  GridError,
  microcreditsPerCredit,
  type Rate,
  type UsageGroup,
  usageGroups,
  type UsageRow,
} from '@teamgrid/api'
import { confirm } from '../acting.ts'
import { type Context, handle } from '../context.ts'
import { csv } from '../csv.ts'
import type { Io } from '../io.ts'
import type { Column } from '../table.ts'
import { minute } from '../time.ts'

export function addUsage(program: Command, io: Io): void {
  const usage = program.command('usage').description('What machines cost, credits and budgets.')
  usage
    .command('show', { isDefault: true })
    .argument('[team]', 'a team; by default the one that gets my work')
    .addOption(new Option('--by <what>', 'one row each').choices(usageGroups).default('person'))
    .option('--from <day>', 'from this day (UTC), 2026-01-31; by default the first of this month')
    .option('--to <day>', 'before this day (UTC); by default until now')
    .option('--csv', 'print CSV')
    .description('Who and what used how much.')
    .action(handle(io, show))
  usage
    .command('balance')
    .argument('[team]', 'a team; by default all of mine')
    .description('Credits left, the present pace and where it leads.')
    .action(handle(io, balance))
  usage
    .command('add-credit')
    .argument('<team>', 'a team')
    .argument('<credits>', 'how many; a negative number takes back, after --: add-credit team -- -5')
    .option('--note <text>', 'what for')
    .description('Give a team credits.')
    .action(handle(io, addCredit))
  usage
    .command('budgets')
    .argument('[team]', 'a team; by default the one that gets my work')
    .description('Budgets and how much of them is used.')
    .action(handle(io, budgets))
  usage
    .command('set-budget')
    .argument('<team>', 'a team')
    .argument('<credits>', 'how many')
    .option('--person <username>', 'for this person alone')
    .option('--project <project>', 'for this project alone')
    .addOption(
      new Option('--period <period>', 'begins anew with each')
        .choices(['month', 'quarter', 'none'])
        .default('month'),
    )
    .option('--notice <percents>', 'when to tell', '80,100')
    .option('--hard', 'stop at the limit')
    .description('Set a budget; one for the same person, project and period is changed.')
    .action(handle(io, setBudget))
  usage
    .command('delete-budget')
    .argument('<team>', 'a team')
    .argument('<id>', 'as "grid usage budgets -o json" tells it')
    .option('--yes', 'do not ask')
    .description('Delete a budget.')
    .action(handle(io, deleteBudget))
  usage.command('rates').description('What machines cost now.').action(handle(io, rates))
  usage
    .command('set-rate')
    .argument('<machine>', 'as "grid instance-types" names it; * for all that have no rate')
    .argument('<credits>', 'an hour')
    .option('--cluster <cluster>', 'only there')
    .option('--spot', 'for what may be interrupted')
    .description('Set what a machine costs from now on; what runs keeps its rate.')
    .action(handle(io, setRate))
}

const teamOr = async (context: Context, team: string | undefined) =>
  team ?? context.io.env['GRID_ENTITY'] ?? (await context.me()).defaultTeam

async function show(
  context: Context,
  given: string | undefined,
  options: { by: UsageGroup; from?: string; to?: string; csv?: boolean },
): Promise<void> {
  const { client } = await context.connection()
  const team = await teamOr(context, given)
  const { rows, total } = await client.usage.table({
    team,
    by: options.by,
    ...(options.from === undefined ? {} : { from: dayStart(options.from) }),
    ...(options.to === undefined ? {} : { to: dayStart(options.to) }),
  })
  if (options.csv) {
    context.io.stdout.write(csv(rows.map(usageJson)))
    return
  }
  const shownRows = rows.length > 1 ? [...rows, { name: 'Total', ...total }] : rows
  context.printRows({
    columns: usageColumns(options.by),
    rows: context.json ? rows : shownRows,
    json: usageJson,
    empty: 'Nothing was used.',
  })
}

async function balance(context: Context, team: string | undefined): Promise<void> {
  const { client } = await context.connection()
  const items =
    team === undefined ? (await client.usage.balances({})).items : [await client.usage.balance({ team })]
  context.printRows({ columns: balanceColumns, rows: items, json: balanceJson })
}

async function addCredit(
  context: Context,
  team: string,
  amount: string,
  options: { note?: string },
): Promise<void> {
  const microcredits = amountOf(amount)
  const { client } = await context.connection()
  const after = await client.usage.addCredit({
    team,
    microcredits,
    ...(options.note === undefined ? {} : { note: options.note }),
  })
  if (context.json) context.printJson(balanceJson(after))
  else context.done(`${team} has ${credits(after.microcredits)} credits`)
}

async function budgets(context: Context, given: string | undefined): Promise<void> {
  const { client } = await context.connection()
  const { items } = await client.usage.budgets({ team: await teamOr(context, given) })
  context.printRows({ columns: budgetColumns, rows: items, json: budgetJson, empty: 'No budgets.' })
}

async function setBudget(
  context: Context,
  team: string,
  amount: string,
  options: { person?: string; project?: string; period: Budget['period']; notice: string; hard?: boolean },
): Promise<void> {
  const microcredits = amountOf(amount)
  const noticePercents = options.notice.split(',').map(Number)
  if (!noticePercents.every((each) => Number.isInteger(each) && each >= 1 && each <= 1000)) {
    throw new GridError('invalid', `"${options.notice}" are not percentages`, {
      hint: 'Write --notice 50,80,100.',
    })
  }
  const { client } = await context.connection()
  const known = (await client.usage.budgets({ team })).items.find(
    (each) =>
      each.period === options.period &&
      (each.person?.username ?? undefined) === options.person &&
      (each.project ?? undefined) === options.project,
  )
  const wanted = { microcredits, noticePercents, isHard: Boolean(options.hard) }
  const { person, project, period } = options
  const budget = known
    ? await client.usage.changeBudget({ team, budgetId: known.id, ...wanted })
    : await client.usage.createBudget({
        team,
        period,
        ...wanted,
        ...(person === undefined ? {} : { person }),
        ...(project === undefined ? {} : { project }),
      })
  if (context.json) context.printJson(budgetJson(budget))
  else context.done(`The budget of ${whose(budget) || team} is ${credits(budget.microcredits)} credits`)
}

async function deleteBudget(
  context: Context,
  team: string,
  id: string,
  options: { yes?: boolean },
): Promise<void> {
  const { client } = await context.connection()
  const budget = (await client.usage.budgets({ team })).items.find((each) => each.id === id)
  if (!budget) throw new GridError('not_found', `${team} has no budget ${id}`)
  const question = `Delete the budget of ${whose(budget) || team}?`
  if (!options.yes) {
    await confirm(context, '', question, {
      not: 'Nothing was deleted',
      yesHint: 'Add --yes to delete it without a question.',
    })
  }
  await client.usage.deleteBudget({ team, budgetId: id })
  if (context.json) context.printJson({ id })
  else context.done('Deleted')
}

async function rates(context: Context): Promise<void> {
  const { client } = await context.connection()
  const { items } = await client.usage.rates({})
  context.printRows({ columns: rateColumns, rows: items, json: rateJson, empty: 'Everything is free.' })
}

async function setRate(
  context: Context,
  machine: string,
  amount: string,
  options: { cluster?: string; spot?: boolean },
): Promise<void> {
  const microcreditsPerHour = amountOf(amount)
  const { client } = await context.connection()
  await client.usage.setRate({
    machine,
    microcreditsPerHour,
    isSpot: Boolean(options.spot),
    ...(options.cluster === undefined ? {} : { cluster: options.cluster }),
  })
  if (context.json) context.printJson({ machine, microcredits_per_hour: microcreditsPerHour })
  else context.done(`${machine} costs ${credits(microcreditsPerHour)} credits an hour from now on`)
}

function dayStart(day: string): string {
  const at = /^\d{4}-\d{2}-\d{2}$/.test(day) ? new Date(`${day}T00:00:00Z`) : new Date(Number.NaN)
  if (Number.isNaN(at.getTime())) {
    throw new GridError('invalid', `"${day}" is not a day`, { hint: 'Write it as 2026-01-31.' })
  }
  return at.toISOString()
}

function amountOf(text: string): number {
  const microcredits = Math.round(Number(text) * microcreditsPerCredit)
  if (!/^-?\d+(?:\.\d{1,6})?$/.test(text) || !Number.isSafeInteger(microcredits)) {
    throw new GridError('invalid', `"${text}" is not an amount of credits`, {
      hint: 'Write it like 20 or 0.25, with six digits behind the point at most.',
    })
  }
  return microcredits
}

const credits = (microcredits: number) => (microcredits / microcreditsPerCredit).toFixed(2)
const hours = (seconds: number) => (seconds / 3600).toFixed(2)
const whose = ({ person, project }: Budget) =>
  person?.username ?? (project === null ? '' : `project ${project}`)

const usageColumns = (by: UsageGroup): Column<UsageRow>[] => [
  { title: by[0]!.toUpperCase() + by.slice(1), cell: (row) => row.name },
  { title: 'Stays', cell: (row) => row.stays },
  { title: 'Hours', cell: (row) => hours(row.seconds) },
  { title: 'GPU Hours', cell: (row) => hours(row.gpuSeconds) },
  { title: 'Credits', cell: (row) => `${credits(row.microcredits)}${row.isEstimate ? ' (so far)' : ''}` },
]
const usageJson = (row: UsageRow) => ({
  name: row.name,
  stays: row.stays,
  seconds: row.seconds,
  gpu_seconds: row.gpuSeconds,
  microcredits: row.microcredits,
  estimate: row.isEstimate,
})

const balanceColumns: Column<Balance>[] = [
  { title: 'Team', cell: (row) => row.team },
  { title: 'Balance', cell: (row) => (row.state === 'unlimited' ? 'unlimited' : credits(row.microcredits)) },
  { title: 'An Hour', cell: (row) => credits(row.microcreditsPerHour) },
  { title: 'Machines', cell: (row) => row.machines },
  { title: 'Lasts Until', cell: (row) => (row.endsAt === null ? '-' : minute(row.endsAt)) },
  { title: 'This Month', cell: (row) => credits(row.month.usedMicrocredits) },
  { title: 'Forecast', cell: (row) => credits(row.month.forecastMicrocredits) },
]
const balanceJson = (row: Balance) => ({
  team: row.team,
  state: row.state,
  microcredits: row.microcredits,
  granted_microcredits: row.grantedMicrocredits,
  used_microcredits: row.usedMicrocredits,
  microcredits_per_hour: row.microcreditsPerHour,
  machines: row.machines,
  lasts_until: row.endsAt,
  month_used_microcredits: row.month.usedMicrocredits,
  month_forecast_microcredits: row.month.forecastMicrocredits,
  when_empty: row.whenEmpty,
})

const budgetColumns: Column<Budget>[] = [
  { title: 'Of', cell: (row) => whose(row) || 'the team' },
  { title: 'Period', cell: (row) => row.period },
  { title: 'Credits', cell: (row) => credits(row.microcredits) },
  { title: 'Used', cell: (row) => `${Math.floor((row.usedMicrocredits / row.microcredits) * 100)} %` },
  { title: 'At The Limit', cell: (row) => (row.isHard ? 'stop' : 'tell') },
  { title: 'Renews', cell: (row) => row.renewsAt?.slice(0, 10) ?? '-' },
]
const budgetJson = (row: Budget) => ({
  id: row.id,
  person: row.person?.username ?? null,
  project: row.project,
  period: row.period,
  microcredits: row.microcredits,
  used_microcredits: row.usedMicrocredits,
  notice_percents: row.noticePercents,
  hard: row.isHard,
  renews_at: row.renewsAt,
})

const rateColumns: Column<Rate>[] = [
  { title: 'Machine', cell: (row) => row.machine },
  { title: 'Cluster', cell: (row) => row.cluster ?? 'every' },
  { title: 'Spot', cell: (row) => (row.isSpot ? 'yes' : 'no') },
  { title: 'Credits An Hour', cell: (row) => credits(row.microcreditsPerHour) },
]
const rateJson = (row: Rate) => ({
  machine: row.machine,
  cluster: row.cluster,
  spot: row.isSpot,
  microcredits_per_hour: row.microcreditsPerHour,
  valid_from: row.validFrom,
})
