import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { GridError, type Sweep, type SweepAction, type SweepDetails } from '@teamgrid/api'
import { confirm, refusalFor } from '../acting.ts'
import { type Context, handle } from '../context.ts'
import type { Io } from '../io.ts'
import { positiveInteger } from '../options.ts'
import { type Column, table } from '../table.ts'
import { shown } from '../text.ts'
import { minute } from '../time.ts'

const pageMax = 100

const actions: Record<SweepAction, { says: string; done: string; asks: string }> = {
  pause: { says: 'Begin nothing new; what runs goes on.', done: 'Paused', asks: 'Pause it?' },
  resume: { says: 'Give agents work again.', done: 'Resumed', asks: 'Resume it?' },
  stop: {
    says: 'Begin nothing new, for good; what runs comes to its own end.',
    done: 'Stopped',
    asks: 'Stop it?',
  },
  cancel: { says: 'Begin nothing new, and ask what runs to stop.', done: 'Cancelled', asks: 'Cancel it?' },
}

type SteerOptions = { yes?: boolean; skipDenied?: boolean }

export function addSweep(program: Command, io: Io): void {
  const sweep = program
    .command('sweep')
    .summary('searches over parameters')
    .description('Searches over parameters. To lend a machine to one: wandb agent team/project/sweep.')
  sweep
    .command('list')
    .argument('<project>', '[team/]project')
    .option('--limit <count>', 'at most so many rows', positiveInteger)
    .description('The sweeps of a project, newest first.')
    .action(handle(io, listSweeps))
  sweep
    .command('show')
    .argument('<sweep>', '[team/]project/sweep')
    .description('One sweep: how far it is, the best experiment, its agents.')
    .action(handle(io, showSweep))
  sweep
    .command('create')
    .argument('<file>', 'YAML or JSON, as wandb sweep takes it')
    .requiredOption('--project <project>', '[team/]project')
    .option('--prior <experiment...>', 'experiments of the project whose results count from the start')
    .description('Make a sweep from its configuration.')
    .action(handle(io, createSweep))
  for (const action of ['pause', 'resume', 'stop', 'cancel'] as const)
    sweep
      .command(action)
      .argument('<sweep...>', '[team/]project/sweep')
      .option('-y, --yes', `do not ask before it happens to somebody else's`)
      .option('--skip-denied', 'leave out what one may not steer, instead of steering none')
      .description(actions[action].says)
      .action(
        handle(io, (context, refs: string[], options: SteerOptions) => steer(context, action, refs, options)),
      )
}

async function listSweeps(context: Context, text: string, options: { limit?: number }): Promise<void> {
  const [team, project] = await placeOf(context, text, 2)
  const { client } = await context.connection()
  const rows: Sweep[] = []
  const wanted = options.limit ?? Infinity
  for (let cursor: string | null | undefined; cursor !== null && rows.length < wanted;) {
    const limit = Math.min(pageMax, wanted - rows.length)
    const page = await client.sweeps.list({ team, project, limit, ...(cursor ? { cursor } : {}) })
    rows.push(...page.items)
    cursor = page.nextCursor
  }
  context.printRows({ columns: sweepColumns, rows, json: sweepJson, empty: 'No sweeps yet.' })
}

async function showSweep(context: Context, text: string): Promise<void> {
  const [team, project, slug] = await placeOf(context, text, 3)
  const { client } = await context.connection()
  const sweep = await client.sweeps.get({ team, project, sweep: slug })
  if (context.json) {
    context.printJson(detailsJson(sweep))
    return
  }
  context.say(`${shown(sweep.name)} (${sweep.team}/${sweep.project}/${sweep.slug})`)
  context.say(`State        ${sweep.state}`)
  context.say(
    `Method       ${sweep.method}${sweep.metric ? `, ${sweep.metric.goal} ${shown(sweep.metric.name)}` : ''}`,
  )
  context.say(`Experiments  ${progressOf(sweep)}`)
  context.say(`Best         ${sweep.best ? `${shown(sweep.best.name)} with ${sweep.best.value}` : '-'}`)
  context.say(`Created      ${minute(sweep.createdAt)} by ${sweep.createdBy.username}`)
  context.say('')
  context.io.stdout.write(table(agentColumns, sweep.agentList, context.tableStyle(), 'No agents yet.'))
  if (sweep.state === 'pending' || sweep.state === 'running')
    context.say(`To lend this machine to it: wandb agent ${sweep.team}/${sweep.project}/${sweep.slug}`)
}

async function createSweep(
  context: Context,
  file: string,
  options: { project: string; prior?: string[] },
): Promise<void> {
  const [team, project] = await placeOf(context, options.project, 2)
  const config = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new GridError('invalid', `${file} cannot be read`, { cause })
  })
  const { client } = await context.connection()
  const sweep = await client.sweeps.create({ team, project, config, priorExperiments: options.prior ?? [] })
  for (const warning of sweep.warnings) context.warn(shown(warning))
  context.done(`Made sweep ${sweep.team}/${sweep.project}/${sweep.slug}`)
  if (context.json) context.printJson(detailsJson(sweep))
  else context.say(`wandb agent ${sweep.team}/${sweep.project}/${sweep.slug}`)
}

/** Everything is found, proven and confirmed before anything is steered. */
async function steer(
  context: Context,
  action: SweepAction,
  refs: readonly string[],
  options: SteerOptions,
): Promise<void> {
  const places = []
  for (const ref of refs) places.push(await placeOf(context, ref, 3))
  const { client } = await context.connection()
  const found = new Map<string, Sweep>()
  for (const [team, project, sweep] of places) {
    const one = await client.sweeps.get({ team, project, sweep })
    found.set(one.id, one)
  }
  const sweeps = await steerable(context, [...found.values()], options.skipDenied === true)
  const { user } = await context.me()
  const others = sweeps.filter((one) => one.createdById !== user.id)
  if (others.length > 0 && !options.yes) {
    const { done, asks } = actions[action]
    const whose = others.map((one) => `sweep ${shown(one.name)} belongs to ${one.createdBy.username}.\n`)
    await confirm(context, whose.join(''), asks, {
      not: `Nothing was ${done.toLowerCase()}`,
      yesHint: `Say --yes to ${action} what is somebody else’s.`,
    })
  }
  const rows: Sweep[] = []
  for (const { team, project, slug } of sweeps) {
    const row = await client.sweeps.steer({ team, project, sweep: slug, action })
    rows.push(row)
    context.done(`${actions[action].done} ${shown(row.name)}`)
  }
  if (context.json) context.printJson(rows.map(sweepJson))
}

/** @throws GridError with the first refusal, as the server would word it, unless what is refused shall be left out. */
async function steerable(
  context: Context,
  sweeps: readonly Sweep[],
  skipDenied: boolean,
): Promise<readonly Sweep[]> {
  const me = await context.me()
  return sweeps.filter((one) => {
    // What a service account made for somebody bears their name alone, so of its own the server has to judge.
    if (me.teams.find((team) => team.slug === one.team)?.role === 'service') return true
    const refusal = refusalFor(me, 'run:stop', {
      team: one.team,
      kind: 'sweep',
      name: one.name,
      ownerId: one.createdById,
      ownerName: one.createdBy.username,
      createdById: null,
    })
    if (refusal === undefined) return true
    if (!skipDenied) throw refusal
    context.warn(refusal.message.replace(/^Warning: /, ''))
    return false
  })
}

/**
 * Takes `[team/]project` or `[team/]project/sweep` apart; also the web address of a sweep. Without a team, one's own
 * default team is meant.
 */
async function placeOf(context: Context, text: string, parts: 2): Promise<[string, string]>
async function placeOf(context: Context, text: string, parts: 3): Promise<[string, string, string]>
async function placeOf(context: Context, text: string, parts: 2 | 3): Promise<string[]> {
  const path = /^https?:\/\//.test(text) ? decodeURIComponent(new URL(text).pathname) : text
  const names = path.split('/').filter((name) => name !== '')
  // Web addresses have the word in between.
  const [, , third] = names
  if (names.length === parts + 1 && third === 'sweeps') names.splice(2, 1)
  if (names.length === parts) return names
  const shape = parts === 2 ? '[team/]project' : '[team/]project/sweep'
  if (names.length !== parts - 1)
    throw new GridError('invalid', `"${text}" is not ${shape}`, {
      hint:
        parts === 3
          ? 'Find its id with: grid sweep list [team/]project'
          : 'Leave the team away for your own.',
    })
  return [(await context.me()).defaultTeam, ...names]
}

const sweepColumns: Column<Sweep>[] = [
  { title: 'Sweep', cell: (row) => row.slug },
  { title: 'Name', cell: (row) => row.name },
  { title: 'Status', cell: (row) => row.state },
  { title: 'Method', cell: (row) => row.method },
  { title: 'Experiments', cell: (row) => progressOf(row) },
  { title: 'Best', cell: (row) => row.best?.value ?? '-' },
  { title: 'Agents', cell: (row) => row.agents },
  { title: 'Created By', cell: (row) => row.createdBy.username },
  { title: 'Created At', cell: (row) => minute(row.createdAt) },
]

const agentColumns: Column<SweepDetails['agentList'][number]>[] = [
  { title: 'Agent', cell: (row) => row.name },
  { title: 'Status', cell: (row) => row.state },
  { title: 'Of', cell: (row) => row.user.username },
  { title: 'Experiments', cell: (row) => row.experiments },
  { title: 'Works On', cell: (row) => row.current?.name ?? '-' },
  { title: 'Last Heard', cell: (row) => minute(row.heartbeatAt) },
]

/** `7 of 30, 2 running` */
function progressOf({ counts, expected }: Sweep): string {
  const done = counts.finished + counts.failed + counts.stopped + counts.moved
  const open = counts.running + counts.waiting
  return `${done}${expected === null ? '' : ` of ${expected}`}${open > 0 ? `, ${open} running` : ''}`
}

/** A sweep as `-o json` prints it. */
function sweepJson(row: Sweep): Record<string, unknown> {
  return {
    sweep: row.slug,
    name: row.name,
    status: row.state,
    method: row.method,
    metric: row.metric,
    experiments: row.counts,
    expected: row.expected,
    best: row.best,
    agents: row.agents,
    created_by: row.createdBy.username,
    created_at: row.createdAt,
    team: row.team,
    project: row.project,
  }
}

function detailsJson(sweep: SweepDetails): Record<string, unknown> {
  return {
    ...sweepJson(sweep),
    description: sweep.description,
    config: sweep.config,
    agent_list: sweep.agentList.map((agent) => ({
      agent: agent.name,
      status: agent.state,
      of: agent.user.username,
      experiments: agent.experiments,
      works_on: agent.current?.slug ?? null,
      last_heard: agent.heartbeatAt,
    })),
    warnings: sweep.warnings,
  }
}
