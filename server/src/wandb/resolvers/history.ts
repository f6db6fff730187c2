/** What a run logged, read back: history, system metrics, console. The client wants raw lines, or rows of some keys. */
import { GridError } from '@teamgrid/api'
import type { Access } from '../../access.ts'
import type { Actor } from '../../actor.ts'
import type { Experiments } from '../../experiments/service.ts'
import type { StoredExperiment } from '../../experiments/types.ts'
import { findFlattened } from '../../lib/flatten.ts'
import { parseJsonObject } from '../../lib/tolerant-json.ts'
import type { Stream } from '../../stores/clickhouse/metric-types.ts'
import type { Resolvers, WandbContext } from '../graphql.ts'
import { parseObject } from '../words.ts'
import { cursorOf, lengthOf, offsetOf, type PageArguments } from './connections.ts'

type Range = { minStep?: number | null; maxStep?: number | null }
type HistoryArguments = Range & { samples?: number | null }
type LogArguments = PageArguments & { last?: number | null }
type Spec = { keys: string[]; samples: number; minStep: number | null; maxStep: number | null }

const samplesDefault = 500
/** Rows that one question may get. */
const samplesMax = 100_000
/** Rows read from the store at once. */
const scanRows = 10_000
const logLinesDefault = 1000

export function historyResolvers({
  access,
  experiments,
}: {
  access: Access
  experiments: Experiments
}): Resolvers {
  /** Every raw line of a stream whose step is in `[stepFrom, stepTo)`, in order, a page of them at a time. */
  async function* pages(
    run: StoredExperiment,
    stream: Stream,
    stepFrom: number | null,
    stepTo: number | null,
  ) {
    for (let lineFrom = 0; ;) {
      const rows = await experiments.history(run, {
        stream,
        lineFrom,
        limit: scanRows,
        ...(stepFrom === null ? {} : { stepFrom }),
        ...(stepTo === null ? {} : { stepTo }),
      })
      if (rows.length > 0) yield rows
      if (rows.length < scanRows) return
      lineFrom = rows.at(-1)!.line + 1
    }
  }

  /** Without a range evenly picked from all lines; with one the first ones in it, for the client pages through it. */
  async function raw(run: StoredExperiment, stream: Stream, args: HistoryArguments): Promise<string[]> {
    const samples = samplesOf(args.samples)
    if (args.minStep != null || args.maxStep != null) {
      const rows = await experiments.history(run, {
        stream,
        limit: samples,
        ...(args.minStep == null ? {} : { stepFrom: args.minStep }),
        ...(args.maxStep == null ? {} : { stepTo: args.maxStep }),
      })
      return rows.map((row) => row.raw)
    }
    const picked = evenly<string>(samples)
    for await (const rows of pages(run, stream, null, null)) for (const row of rows) picked.offer(row.raw)
    return picked.taken()
  }

  /** Rows that have all of the keys; both ends of the range belong to it. */
  async function sampled(run: StoredExperiment, spec: Spec): Promise<Record<string, unknown>[]> {
    if (spec.keys.length === 0) return []
    const stepTo = spec.maxStep === null ? null : spec.maxStep + 1
    const picked = evenly<Record<string, unknown>>(spec.samples)
    for await (const rows of pages(run, 'history', spec.minStep, stepTo)) {
      for (const { raw } of rows) {
        const row = rowOf(raw, spec.keys)
        if (row) picked.offer(row)
      }
    }
    return picked.taken()
  }

  async function historyKeys(run: StoredExperiment, actor: Actor) {
    const found = await experiments.keys(actor, { experimentIds: [run.id], stream: 'history' })
    const [line] = (await experiments.tails(run)).historyTail
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
    const limit = Math.min(lengthOf(args.last ?? args.first, logLinesDefault), scanRows)
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
    <Arguments>(read: (run: StoredExperiment, args: Arguments, actor: Actor) => unknown) =>
    async (run: StoredExperiment, args: Arguments, { actor }: WandbContext) =>
      read(await access.allowed(actor, 'metric:read', run), args, actor)

  return {
    Run: {
      history: metrics((run, args: HistoryArguments) => raw(run, 'history', args)),
      events: metrics((run, args: HistoryArguments) => raw(run, 'system', args)),
      sampledHistory: metrics((run, { specs }: { specs: string[] }) =>
        Promise.all(specs.map((spec) => sampled(run, specOf(spec)))),
      ),
      historyKeys: metrics((run, _args: object, actor) => historyKeys(run, actor)),
      // There are no Parquet files, so the client reads everything live.
      parquetHistory: () => ({ parquetUrls: [], liveData: [] }),
      async logLines(run: StoredExperiment, args: LogArguments, { actor }) {
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

/**
 * At most `count` of the items offered, evenly spread, without knowing how many will come: keeps every n-th and, when
 * it has twice too many, every second of those.
 */
export function evenly<Item>(count: number): { offer(item: Item): void; taken(): Item[] } {
  let kept: Item[] = []
  let every = 1
  let seen = 0
  return {
    offer(item) {
      if (seen++ % every !== 0) return
      kept.push(item)
      if (kept.length < count * 2) return
      kept = kept.filter((_, index) => index % 2 === 0)
      every *= 2
    },
    taken() {
      if (kept.length <= count) return kept
      const stride = kept.length / count
      return Array.from({ length: count }, (_, index) => kept[Math.floor(index * stride)]!)
    },
  }
}
