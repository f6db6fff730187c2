/** What a run logged, read back: history, system metrics, console. The client wants raw lines, or rows of some keys. */
import { endedStates, GridError } from '@teamgrid/api'
import type { Access } from '../../access.ts'
import type { Experiments } from '../../experiments/service.ts'
import type { StoredExperiment } from '../../experiments/types.ts'
import { findFlattened } from '../../lib/flatten.ts'
import { parseJsonObject } from '../../lib/tolerant-json.ts'
import type { Stream } from '../../stores/clickhouse/metric-types.ts'
import { createBatch } from '../batch.ts'
import type { Resolvers, WandbContext } from '../graphql.ts'
import { createScans } from '../scans.ts'
import { parseObject } from '../words.ts'
import { cursorOf, lengthOf, offsetOf, type PageArguments } from './connections.ts'

type Range = { minStep?: number | null; maxStep?: number | null }
type HistoryArguments = Range & { samples?: number | null }
type LogArguments = PageArguments & { last?: number | null }
type Spec = { keys: string[]; samples: number; minStep: number | null; maxStep: number | null }

const samplesDefault = 500
/** Rows that one question may get, and bytes of them. */
const samplesMax = 100_000
const bytesMax = 64 * 1024 * 1024
/** Lines read from the store at once; one may be large. */
const linesAtOnce = 500
const logLinesDefault = 1000
const logLinesMax = 10_000

export function historyResolvers({
  access,
  experiments,
}: {
  access: Access
  experiments: Experiments
}): Resolvers {
  /** Lines evenly spread over those that have all of the keys, a few of them at a time. */
  async function* pickedLines(run: StoredExperiment, query: Parameters<Experiments['pickLines']>[1]) {
    const lines = await experiments.pickLines(run, query)
    for (let start = 0; start < lines.length; start += linesAtOnce)
      yield await experiments.linesAt(run, query.stream, lines.slice(start, start + linesAtOnce))
  }

  /** Without a range evenly picked from all lines; with one the first ones in it, for the client pages through it. */
  async function raw(run: StoredExperiment, stream: Stream, args: HistoryArguments): Promise<string[]> {
    const { minStep, maxStep } = args
    const lines: string[] = []
    const size = createSizeLimit()
    const take = (rows: { raw: string }[]) => {
      for (const row of rows) lines.push(size.add(row.raw))
    }
    if (minStep == null && maxStep == null) {
      const count = samplesOf(args.samples)
      for await (const rows of pickedLines(run, { stream, keys: [], count })) take(rows)
    } else {
      // Several writers may have logged the same step, and the client asks for as many rows as there are steps.
      const isPage = minStep != null && maxStep != null && (args.samples ?? 0) >= maxStep - minStep
      take(
        await experiments.history(run, {
          stream,
          limit: isPage ? samplesMax : samplesOf(args.samples),
          ...(minStep == null ? {} : { stepFrom: minStep }),
          ...(maxStep == null ? {} : { stepTo: maxStep }),
        }),
      )
    }
    return lines
  }

  /** Rows that have all of the keys; both ends of the range belong to it. */
  async function sampled(run: StoredExperiment, spec: Spec): Promise<Record<string, unknown>[]> {
    const { keys, minStep, maxStep, samples } = spec
    if (keys.length === 0) return []
    const isPage = minStep !== null && maxStep !== null && samples >= maxStep - minStep
    // Clients before 0.28 page with ends that belong to the next page too, and ask for one row less than there are steps.
    const stepTo = maxStep === null ? null : isPage && samples === maxStep - minStep ? maxStep : maxStep + 1
    const found: Record<string, unknown>[] = []
    const size = createSizeLimit()
    const picked = pickedLines(run, {
      stream: 'history',
      keys,
      count: isPage ? samplesMax : samples,
      ...(minStep === null ? {} : { stepFrom: minStep }),
      ...(stepTo === null ? {} : { stepTo }),
    })
    for await (const rows of picked) {
      for (const { raw } of rows) {
        const row = rowOf(raw, keys)
        if (row) {
          size.add(JSON.stringify(row))
          found.push(row)
        }
      }
    }
    return found
  }

  const scans = createScans()

  /** `liveData` says from which step on the client reads rows; that there is any, that the files are not all. */
  async function parquetHistory(run: StoredExperiment, _args: object, { actor }: WandbContext) {
    const rowsFrom = (step: number) => ({ parquetUrls: [], liveData: [{ _step: step }] })
    const isScan = scans.take(actor, run)
    if (run.historyLines === 0) return { parquetUrls: [], liveData: [] }
    if (!(await access.permits(actor, 'data:export', run))) return rowsFrom(0)
    const exact = await experiments.exportedHistory(actor, run)
    if (exact !== undefined) return { parquetUrls: exact, liveData: [] }
    const table = isScan ? undefined : await experiments.exportedTable(actor, run)
    if (table === undefined) return rowsFrom(0)
    if (endedStates.includes(run.state)) return { parquetUrls: table, liveData: [] }
    // More may come at any moment.
    const [newest] = await experiments.linesAt(run, 'history', [run.historyLines - 1])
    return { parquetUrls: table, liveData: [{ _step: (newest?.step ?? run.historyLines - 1) + 1 }] }
  }

  const keysOf = createBatch(({ actor }, runs: StoredExperiment[]) =>
    experiments.keysOfEach(actor, runs, 'history'),
  )
  const newestOf = createBatch((_, runs: StoredExperiment[]) => experiments.newestOfEach(runs, 'history'))

  async function historyKeys(run: StoredExperiment, context: WandbContext) {
    const [found = [], line] = await Promise.all([keysOf(context, run), newestOf(context, run)])
    if (line === undefined) return null
    const last = parseJsonObject(line) ?? {}
    const keys = found.map(({ key, type, count }) => {
      // What a key was last: in the newest row, or as the client sums it up.
      const previousValue = strict(findFlattened(last, key) ?? findFlattened(run.summary, key))
      return [key, { typeCounts: [{ type, count }], monotonic: false, previousValue }] as const
    })
    const lastStep = found.reduce((highest, { lastStep }) => Math.max(highest, lastStep), stepOf(last))
    return { lastStep, sets: [], keys: Object.fromEntries(keys) }
  }

  async function logLines(run: StoredExperiment, args: LogArguments) {
    const newest = args.last != null
    const limit = Math.min(lengthOf(args.last ?? args.first, logLinesDefault), logLinesMax)
    const lineFrom = offsetOf(args.after)
    const { lines } =
      limit === 0
        ? { lines: [] }
        : await experiments.consoleLines(run, { limit, ...(newest ? { last: true } : { lineFrom }) })
    const after = (line: number) => cursorOf(line + 1)
    const end = lines.at(-1)
    return {
      edges: lines.map(({ line, timeMs, level, label, text }) => ({
        cursor: after(line),
        node: {
          number: line,
          timestamp: timeMs === null ? null : new Date(timeMs),
          level: level === 'error' ? 'error' : null,
          label: label || null,
          line: text,
        },
      })),
      pageInfo: {
        endCursor: end ? after(end.line) : null,
        hasNextPage: !newest && end !== undefined && end.line + 1 < run.consoleLines,
      },
    }
  }

  const metrics =
    <Arguments>(read: (run: StoredExperiment, args: Arguments, context: WandbContext) => unknown) =>
    async (run: StoredExperiment, args: Arguments, context: WandbContext) => {
      const found = await access.allowed(context.actor, 'metric:read', run)
      if (read !== (parquetHistory as unknown)) scans.note(context.actor, run, context.operationName)
      return read(found, args, context)
    }

  return {
    Run: {
      history: metrics((run, args: HistoryArguments) => raw(run, 'history', args)),
      events: metrics((run, args: HistoryArguments) => raw(run, 'system', args)),
      sampledHistory: metrics((run, { specs }: { specs: string[] }) =>
        Promise.all(specs.map((spec) => sampled(run, specOf(spec)))),
      ),
      historyKeys: metrics((run, _args: object, context) => historyKeys(run, context)),
      parquetHistory: metrics(parquetHistory),
      async logLines(run: StoredExperiment, args: LogArguments, { actor }) {
        scans.note(actor, run, undefined)
        return logLines(await access.allowed(actor, 'log:read', run), args)
      },
    },
  }
}

function samplesOf(samples: number | null | undefined): number {
  return Math.min(Math.max(1, samples ?? samplesDefault), samplesMax)
}

function specOf(text: string): Spec {
  const { keys, samples, minStep, maxStep } = parseObject(text, 'A spec of sampledHistory')
  const number = (value: unknown) =>
    typeof value === 'number' && Number.isFinite(value) ? Math.trunc(value) : null
  if (keys !== undefined && !(Array.isArray(keys) && keys.every((key) => typeof key === 'string'))) {
    throw new GridError('invalid', 'The keys of a spec are a list of texts')
  }
  return {
    keys: (keys as string[] | undefined) ?? [],
    samples: samplesOf(number(samples)),
    minStep: number(minStep),
    maxStep: number(maxStep),
  }
}

/** The asked keys of a row; undefined when one is missing. */
function rowOf(raw: string, keys: string[]): Record<string, unknown> | undefined {
  const whole = parseJsonObject(raw)
  if (!whole) return undefined
  const row: Record<string, unknown> = {}
  for (const key of keys) {
    const value = findFlattened(whole, key)
    if (value === undefined || value === null) return undefined
    row[key] = strict(value)
  }
  return row
}

function stepOf(row: Record<string, unknown>): number {
  return typeof row._step === 'number' ? Math.trunc(row._step) : 0
}

/** A value that stands in JSON: there is no NaN in it. */
function strict(value: unknown): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (typeof value !== 'object' || value === null) return value ?? null
  return JSON.parse(
    JSON.stringify(value, (_key, item: unknown) => (typeof item === 'number' ? strict(item) : item)),
  )
}

/** Counts what goes into an answer. @returns the text. @throws GridError invalid when it becomes too much. */
function createSizeLimit(): { add: (text: string) => string } {
  let bytes = 0
  return {
    add(text) {
      bytes += text.length
      if (bytes <= bytesMax) return text
      throw new GridError(
        'invalid',
        `These rows are more than ${bytesMax / 1024 / 1024} MiB. Ask for fewer samples or a page with fewer steps, or name the keys you need.`,
      )
    },
  }
}
