import type { Command } from 'commander'
import { type ConsoleLine, type Experiment, GridError } from '@teamgrid/api'
import { type Context, handle } from '../context.ts'
import { createFollower } from '../follow.ts'
import { type Io, wantsColor } from '../io.ts'
import { positiveInteger } from '../options.ts'
import { orPointToTheWeb, resolve } from '../resolve.ts'
import { hasEnded } from '../states.ts'
import { shown, shownLogLine } from '../text.ts'
import { logTime, since } from '../time.ts'

type LogOptions = {
  follow?: boolean
  tailLines?: number
  since?: string
  stderr?: boolean
  showBuildLogs?: boolean
  team?: string
}

/** Lines the server gives at once. */
const pageLinesMax = 10_000
const pollMilliseconds = 1000
/** Of a run with more experiments than this each is asked less often, so that following it stays a light load. */
const experimentsASecond = 10
/** While the server is away `-f` asks again after 1, 2, 4 … seconds, at most this. */
const retryMillisecondsMax = 15_000

export function addLogs(program: Command, io: Io): void {
  program
    .command('logs')
    .argument('<experiment>', '[user:]experiment, or a run for all of its experiments')
    .option('-f, --follow', 'go on until the experiment ends')
    .option('-l, --tail-lines <count>', 'only the newest lines', positiveInteger)
    .option('--since <time>', 'only lines since 10m, 2h, 1d or an instant')
    .option('--stderr', 'only what was written to stderr')
    .option('--show-build-logs', 'also how its environment was built')
    .option('--team <team>', 'look in this team')
    .summary('what a script printed')
    .description('Console lines of an experiment, each with its time.')
    .action(handle(io, showLogs))
}

export async function showLogs(context: Context, ref: string, options: LogOptions): Promise<void> {
  const oldest = options.since === undefined ? null : since(options.since, context.io.now())
  const { experiments } = await resolve(context, ref, options.team)
  if (options.showBuildLogs) for (const each of experiments) await showBuildLog(context, each)
  const wanted = (line: ConsoleLine) =>
    (!options.stderr || line.level === 'error') &&
    (oldest === null || (line.time !== null && new Date(line.time) >= oldest))
  const printers = printerFor(context, experiments.length > 1, Boolean(options.follow))
  if (options.follow) {
    const pause = pollMilliseconds * Math.max(1, experiments.length / experimentsASecond)
    await Promise.all(
      experiments.map((experiment) =>
        orPointToTheWeb(context, experiment, () =>
          follow(context, experiment, { tail: options.tailLines, pause, wanted, print: printers.print }),
        ),
      ),
    )
  } else {
    for (const experiment of experiments) {
      await orPointToTheWeb(context, experiment, () =>
        read(context, experiment, options.tailLines, wanted, printers.print),
      )
    }
  }
  printers.end()
}

/** How an experiment was prepared, and what its machine had to say about its end. */
async function showBuildLog(context: Context, experiment: Experiment): Promise<void> {
  const { client } = await context.connection()
  const [, run, number] = /^(.+)-exp(\d+)$/.exec(experiment.slug) ?? []
  const found =
    run === undefined
      ? undefined
      : await client.runs
          .buildLog({ team: experiment.team, run, number: Number(number) })
          .catch((error: unknown) => {
            if (error instanceof GridError && error.code === 'not_found') return undefined
            throw error
          })
  if (found === undefined)
    return context.warn(`${shown(experiment.name)} has no build log: its script was started without one`)
  if (context.json) return
  const color = wantsColor(context.io, context.io.stdout)
  for (const { at, text } of found.lines) context.io.stdout.write(logLine('build', { time: at, text }, color))
}

type Print = (experiment: Experiment, lines: readonly ConsoleLine[]) => void

/** For people a line each; for programs one array, or one object a line while following. */
function printerFor(context: Context, isRun: boolean, isFollowing: boolean): { print: Print; end(): void } {
  const { io } = context
  const color = wantsColor(io, io.stdout)
  const collected: Record<string, unknown>[] = []
  return {
    print: (experiment, lines) => {
      if (!context.json) {
        const label = isRun ? experiment.name : 'experiment'
        io.stdout.write(lines.map((line) => logLine(label, line, color)).join(''))
        return
      }
      for (const line of lines) {
        const value = logLineJson(experiment, line)
        if (isFollowing) io.stdout.write(`${JSON.stringify(value)}\n`)
        else collected.push(value)
      }
    },
    end: () => {
      if (context.json && !isFollowing) context.printJson(collected)
    },
  }
}

/** `[experiment] [2026-11-22T07:00:00.000+00:00] text` */
export function logLine(label: string, line: Pick<ConsoleLine, 'time' | 'text'>, color: boolean): string {
  const time = line.time === null ? '-' : logTime(line.time)
  return `[${shown(label)}] [${time}] ${shownLogLine(line.text, color)}\n`
}

function logLineJson(experiment: Experiment, line: ConsoleLine): Record<string, unknown> {
  return {
    experiment: experiment.name,
    experiment_id: experiment.id,
    line: line.line,
    time: line.time === null ? null : logTime(line.time),
    level: line.level,
    text: line.text,
  }
}

/**
 * Lines from `from` on, page by page, given to `page` as they come.
 *
 * @returns the first line number that was not there yet.
 */
async function readFrom(
  context: Context,
  experiment: Experiment,
  from: number,
  page: (lines: ConsoleLine[]) => void,
): Promise<void> {
  const { client } = await context.connection()
  for (let next = from; ;) {
    const { lines } = await client.experiments.console({
      ...addressOf(experiment),
      from: next,
      limit: pageLinesMax,
    })
    page(lines)
    const last = lines.reduce((highest, line) => Math.max(highest, line.line), -1)
    if (lines.length < pageLinesMax || last < next) return
    next = last + 1
  }
}

async function read(
  context: Context,
  experiment: Experiment,
  tail: number | undefined,
  wanted: (line: ConsoleLine) => boolean,
  print: Print,
): Promise<void> {
  if (tail === undefined) {
    await readFrom(context, experiment, 0, (lines) => print(experiment, lines.filter(wanted)))
  } else print(experiment, await newest(context, experiment, tail, wanted))
}

/** The newest `tail` lines; when a filter may drop some, everything is read to find enough. */
async function newest(
  context: Context,
  experiment: Experiment,
  tail: number,
  wanted: (line: ConsoleLine) => boolean,
): Promise<ConsoleLine[]> {
  const { client } = await context.connection()
  if (tail <= pageLinesMax) {
    const { lines, total } = await client.experiments.console({
      ...addressOf(experiment),
      last: true,
      limit: tail,
    })
    const kept = lines.filter(wanted).sort((a, b) => a.line - b.line)
    if (kept.length === tail || lines.length >= total) return kept
    if (kept.length === lines.length) return kept
  }
  const all: ConsoleLine[] = []
  await readFrom(context, experiment, 0, (lines) => {
    for (const line of lines) if (wanted(line)) all.push(line)
  })
  return all.slice(-tail)
}

/** Prints what is there, then what comes, until the experiment has ended and its last line is out. */
async function follow(
  context: Context,
  experiment: Experiment,
  options: {
    tail: number | undefined
    /** Milliseconds between two looks. */
    pause: number
    wanted: (line: ConsoleLine) => boolean
    print: Print
  },
): Promise<void> {
  const { io } = context
  const { tail, wanted, print } = options
  const { client } = await context.connection()
  const follower = createFollower()
  let start = 0
  if (tail !== undefined) {
    const lines = await newest(context, experiment, tail, wanted)
    start = lines[0]?.line ?? (await client.experiments.console({ ...addressOf(experiment), limit: 1 })).total
  }
  let failures = 0
  for (;;) {
    try {
      // The state is asked for first: what is written before it says "ended" is then certainly read below.
      const { team, project, slug } = experiment
      const [now] = await client.experiments.resolve({ ref: `${team}/${project}/${slug}` })
      await readFrom(context, experiment, Math.max(start, follower.from()), (lines) =>
        print(experiment, follower.take(lines, io.now().getTime()).filter(wanted)),
      )
      if (failures > 0) io.stderr.write('Connected again.\n')
      failures = 0
      if (!now || hasEnded(now.state)) {
        print(experiment, follower.flush().filter(wanted))
        return
      }
    } catch (error) {
      if (!isPassing(error) || io.interrupted.aborted) throw error
      if (failures === 0) io.stderr.write(`${(error as GridError).message}; trying again …\n`)
      failures += 1
    }
    const backOff =
      failures === 0 ? options.pause : Math.min(retryMillisecondsMax, 1000 * 2 ** (failures - 1))
    await io.pause(backOff)
  }
}

/** Trouble that may be over in a moment; anything else ends following. */
function isPassing(error: unknown): boolean {
  return error instanceof GridError && ['unavailable', 'overloaded', 'storage_full'].includes(error.code)
}

function addressOf({ team, project, slug }: Experiment) {
  return { team, project, experiment: slug }
}
