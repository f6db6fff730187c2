/**
 * What goes into and comes out of the metric store: the words of `metric-store.ts`, without its SQL.
 *
 * A **line** is one row that a writer sent, named by (experiment, stream, line number). Sending a line again changes
 * nothing; sending other content under the same number replaces it.
 */

/** `history`: what the script logs. `system`: what its machine measures. */
export type Stream = 'history' | 'system'

/** One logged row, already taken apart. `raw` is kept as it came, so it can be replayed exactly. */
export type Line = {
  experimentId: string
  stream: Stream
  /** 0-based position in its stream. */
  line: number
  /** `_step` for history; the line number for system rows. */
  step: number
  /** Seconds since the experiment began (`_runtime`); NaN when unknown. */
  runtimeSeconds: number
  /** Epoch seconds (`_timestamp`); NaN when unknown. */
  timestampSeconds: number
  /** The row as the client sent it; may hold bare NaN and Infinity. */
  raw: string
  /** Numbers by flattened key (`val.acc`, `val/acc`), booleans as 0 and 1; NaN and ±Infinity are kept. */
  numbers: Record<string, number>
  /** Everything else by flattened key, as JSON text: strings, lists, and objects with a `_type` (media, tables). */
  objects: Record<string, { type: string; json: string }>
}

export type ConsoleLine = {
  experimentId: string
  line: number
  /** Epoch milliseconds, or null if the writer gave none. */
  timeMs: number | null
  level: 'info' | 'error'
  label: string
  text: string
}

/**
 * One searchable fact of an experiment: a config or summary key, or a built-in field, for filter and sort.
 * Keys: `config.lr`, `summary.acc`, and bare built-ins (`name`, `state`, `created_at` as epoch ms, `tags` …).
 */
export type Fact = { key: string; number: number | null; text: string | null }

/** Facts of one experiment. With `whole`, keys of the same prefixes that are not listed are gone. */
export type FactsUpdate = { projectId: string; experimentId: string; facts: Fact[]; removedKeys: string[] }

export type Append = {
  lines?: Line[]
  console?: ConsoleLine[]
  facts?: FactsUpdate[]
}

export type XAxis = 'step' | 'runtime' | 'timestamp' | { key: string }

/** One curve, thinned. Arrays are equally long, ordered by x. */
export type Curve = {
  experimentId: string
  key: string
  /** x of each drawn point, in the unit of the axis. */
  x: number[]
  y: number[]
  /** x of values that were logged as NaN or ±Infinity (at most `pointsMax`), with their name. */
  nonFinite: { x: number; value: 'NaN' | 'Infinity' | '-Infinity' }[]
  /** How many stored points stand behind the whole curve in the asked range. */
  points: number
}

export type SampleQuery = {
  experimentIds: string[]
  keys: string[]
  stream: Stream
  x: XAxis
  /** Range of the x axis, both ends included; null = open. */
  from: number | null
  to: number | null
  /** Even, 2 … 10 000: at most this many points per curve, lowest and highest of every bucket kept. */
  pointsMax: number
  /** Experiments whose lines were ever replaced, so that reading must skip what was replaced. */
  rewritten: ReadonlySet<string>
}

export type KeyInfo = {
  key: string
  stream: Stream
  kind: 'number' | 'object'
  /** `number`, `string`, `list`, `map`, or the `_type` of the newest value. */
  type: string
  count: number
  lastStep: number
  lastLine: number
  /** The newest number, or null for objects. */
  lastNumber: number | null
}

export type StoredObject = {
  key: string
  line: number
  step: number
  timestampSeconds: number
  type: string
  json: string
}

/** A filter over facts. Comparison of a number with text never matches. */
export type FactFilter =
  | { op: 'and' | 'or'; filters: FactFilter[] }
  | { op: 'not'; filter: FactFilter }
  | { op: 'eq' | 'ne' | 'gt' | 'gte' | 'lt' | 'lte'; key: string; value: number | string }
  | { op: 'in' | 'nin'; key: string; values: (number | string)[] }
  | { op: 'exists'; key: string; exists: boolean }
  /** RE2, unanchored, on the text form. `contains` is case-insensitive. */
  | { op: 'regex' | 'contains'; key: string; value: string }

export type FactQuery = {
  projectIds: string[]
  filter: FactFilter | null
  /** Experiments without a sort key come last; ties are broken by experiment id, newest first. */
  sort: { key: string; descending: boolean }[]
  offset: number
  limit: number
}

export interface MetricStore {
  /** Resolves when everything handed in is durable. Commits in groups (≤ 1 s, or enough points). */
  append(batch: Append): Promise<void>
  sample(query: SampleQuery): Promise<Curve[]>
  /** Raw lines of a stream in line order with `stepFrom ≤ step < stepTo`, at most `limit`. */
  scan(query: {
    experimentId: string
    stream: Stream
    stepFrom?: number
    stepTo?: number
    lineFrom?: number
    limit: number
    rewritten: boolean
  }): Promise<{ line: number; step: number; raw: string }[]>
  /**
   * The numbers of at most `count` lines, evenly spread over those that have all of the keys (none asked: over all) and
   * whose step is in range. A line that was replaced may have lost a key.
   */
  pick(query: {
    experimentId: string
    stream: Stream
    keys: string[]
    stepFrom?: number
    stepTo?: number
    count: number
    rewritten: boolean
  }): Promise<number[]>
  /** Raw lines by number, in order; ones that do not exist are left out. */
  linesAt(query: {
    experimentId: string
    stream: Stream
    lines: number[]
  }): Promise<{ line: number; step: number; raw: string }[]>
  /** The newest `limit` raw lines of a stream, in line order. */
  latest(query: {
    experimentId: string
    stream: Stream
    limit: number
  }): Promise<{ line: number; step: number; raw: string }[]>
  /** The raw text of one line of each experiment, by experiment; those whose line is not there are left out. */
  lineOfEach(query: {
    lines: { experimentId: string; line: number }[]
    stream: Stream
  }): Promise<Map<string, string>>
  /** As `keys`, of each experiment by itself. */
  keysOfEach(query: { experimentIds: string[]; stream: Stream }): Promise<Map<string, KeyInfo[]>>
  /** What was ever logged, by key, over one or several experiments (counts and newest per key are of all of them). */
  keys(query: { experimentIds: string[]; stream?: Stream }): Promise<KeyInfo[]>
  /** Media, tables, strings of one or several keys, by step, at most `limit`, evenly picked when there are more. */
  objects(query: {
    experimentId: string
    keys: string[]
    stepFrom?: number
    stepTo?: number
    limit: number
  }): Promise<StoredObject[]>
  console(query: {
    experimentId: string
    lineFrom?: number
    lineTo?: number
    /** Newest instead of first. */
    last?: boolean
    search?: string
    limit: number
  }): Promise<{ lines: Omit<ConsoleLine, 'experimentId'>[]; total: number }>
  /** Ids of matching experiments in order, and how many match in all. */
  find(query: FactQuery): Promise<{ experimentIds: string[]; total: number }>
  /** Keys that experiments of a project have, with how many have them and what they look like. */
  factKeys(query: {
    projectIds: string[]
    search?: string
    limit: number
  }): Promise<{ key: string; experiments: number; numeric: boolean }[]>
  /**
   * Gives the facts of experiments to another project, newer than all that was handed in before. What is handed in for
   * these experiments meanwhile may be lost: the caller keeps their writers waiting.
   */
  moveFacts(move: { experimentIds: string[]; fromProjectId: string; toProjectId: string }): Promise<void>
  /** Takes the facts that experiments have in one project away; those in other projects stay. */
  removeFacts(where: { experimentIds: string[]; projectId: string }): Promise<void>
  /** Removes everything of these experiments. */
  forget(experimentIds: string[]): Promise<void>
  /** Waits until nothing is in flight and releases the engine. */
  close(): Promise<void>
}
