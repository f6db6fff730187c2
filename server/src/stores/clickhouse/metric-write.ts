/** The writing half of the metric store: what arrives is checked, turned into rows, and committed in groups. */
import { GridError } from '@teamgrid/api'
import { writingTrouble } from './engine-errors.ts'
import { createGroupCommit } from './group-commit.ts'
import type { Append, ConsoleLine, FactsUpdate, Line, MetricStore } from './metric-types.ts'
import type { ClickHouse } from './open.ts'
import { nullable, numberField, packedNumbersField, textArrayField, textField } from './tab-separated.ts'

const limits = {
  /** About 100 000 points. One insert of this size takes the engine less than a second. */
  groupBytesMax: 8 * 1024 * 1024,
  /** Held in memory while the engine is busy; some ten seconds of what it can take. */
  queueBytesMax: 96 * 1024 * 1024,
}

/** Line numbers are 32-bit in the tables: four thousand million rows per stream. */
const lineMax = 2 ** 32 - 1

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Objects go before their lines: until its line is there an object is not shown, so a replaced one is never missing. */
const columns = {
  objects: ['experiment', 'stream', 'line', 'step', 'timestamp', 'version', 'key', 'type', 'json'],
  arrivals: [
    'experiment',
    'stream',
    'line',
    'step',
    'timestamp',
    'version',
    'runtime',
    'raw',
    'keys',
    'packed_values',
  ],
  console: ['experiment', 'line', 'time_ms', 'level', 'label', 'text', 'version'],
  facts: ['project', 'experiment', 'key', 'number', 'text', 'removed', 'version'],
} as const

type Table = keyof typeof columns
type Rows = Record<Table, string>

const tables = Object.keys(columns) as Table[]

export function createMetricWriter(
  clickhouse: Pick<ClickHouse, 'client' | 'write' | 'forget' | 'checkpoint'>,
  clock: { now(): number },
): Pick<MetricStore, 'append' | 'forget' | 'moveFacts' | 'removeFacts'> & { settled: () => Promise<void> } {
  const group = createGroupCommit<Rows>(commit, limits)
  let lastVersion = 0

  /** Later appends have higher versions, also within a microsecond and when the clock goes back. */
  function nextVersion(): number {
    lastVersion = Math.max(lastVersion + 1, clock.now() * 1000)
    return lastVersion
  }

  async function append(batch: Append): Promise<void> {
    const rows = rowsOf(batch, nextVersion())
    const bytes = tables.reduce((sum, table) => sum + rows[table].length, 0)
    if (bytes === 0) return
    await group.add(rows, bytes)
  }

  /** Whatever part of a group was stored before another part failed is harmless: its callers send it again. */
  async function commit(items: Rows[]): Promise<void> {
    try {
      const inserts = tables.map((table) => ({
        table,
        columns: columns[table],
        rows: Buffer.from(items.map((item) => item[table]).join('')),
      }))
      await clickhouse.write(inserts.filter(({ rows }) => rows.length > 0))
    } catch (error) {
      throw writingTrouble(error)
    }
  }

  async function forget(experimentIds: string[]): Promise<void> {
    if (experimentIds.length === 0) return
    const ids = experimentIds.map(checkedId)
    // What was handed in before must not come back after. Deleting itself holds up no writer.
    await group.settled()
    try {
      await clickhouse.forget(ids)
    } catch (error) {
      throw writingTrouble(error)
    }
  }

  async function moveFacts({
    experimentIds,
    fromProjectId,
    toProjectId,
  }: {
    experimentIds: string[]
    fromProjectId: string
    toProjectId: string
  }): Promise<void> {
    await group.settled()
    for (const ids of batches(experimentIds)) {
      await rewriteFacts(ids, fromProjectId, '{to:UUID}, key, experiment, number, text, 0', toProjectId)
    }
    await removeFacts({ experimentIds, projectId: fromProjectId })
  }

  async function removeFacts({
    experimentIds,
    projectId,
  }: {
    experimentIds: string[]
    projectId: string
  }): Promise<void> {
    await group.settled()
    for (const ids of batches(experimentIds))
      await rewriteFacts(ids, projectId, 'project, key, experiment, NULL, NULL, 1', projectId)
    // This went past the log of the embedded engine.
    await clickhouse.checkpoint()
  }

  /** Inside the engine, so that a million facts never pass through this process. */
  async function rewriteFacts(ids: string[], project: string, row: string, to: string): Promise<void> {
    try {
      await clickhouse.client.command({
        query: `INSERT INTO facts (project, key, experiment, number, text, removed, version)
          SELECT ${row}, {version:UInt64} FROM facts FINAL
          WHERE project = {project:UUID} AND experiment IN {ids:Array(UUID)} AND removed = 0`,
        query_params: {
          ids: ids.map(checkedId),
          project: checkedId(project),
          to: checkedId(to),
          version: nextVersion(),
        },
      })
    } catch (error) {
      throw writingTrouble(error)
    }
  }

  return { append, forget, moveFacts, removeFacts, settled: group.settled }
}

/** Ids travel in the address of a request, which has a longest length. */
const idsPerStatement = 1000

function* batches(ids: string[]): Generator<string[]> {
  for (let start = 0; start < ids.length; start += idsPerStatement)
    yield ids.slice(start, start + idsPerStatement)
}

function rowsOf(batch: Append, version: number): Rows {
  return {
    objects: (batch.lines ?? []).map((line) => objectRows(line, version)).join(''),
    arrivals: (batch.lines ?? []).map((line) => arrivalRow(line, version)).join(''),
    console: (batch.console ?? []).map((line) => consoleRow(line, version)).join(''),
    facts: (batch.facts ?? []).map((update) => factRows(update, version)).join(''),
  }
}

function arrivalRow(line: Line, version: number): string {
  return `${placeOf(line)}\t${numberField(line.timestampSeconds)}\t${version}\t${numberField(line.runtimeSeconds)}\t${textField(
    line.raw,
  )}\t${textArrayField(Object.keys(line.numbers))}\t${packedNumbersField(Object.values(line.numbers))}\n`
}

function objectRows(line: Line, version: number): string {
  let rows = ''
  for (const [key, { type, json }] of Object.entries(line.objects))
    rows += `${placeOf(line)}\t${numberField(line.timestampSeconds)}\t${version}\t${textField(key)}\t${textField(type)}\t${textField(json)}\n`
  return rows
}

function placeOf(line: Line): string {
  return `${checkedId(line.experimentId)}\t${line.stream}\t${checkedLine(line.line)}\t${checkedStep(line.step)}`
}

function consoleRow(line: ConsoleLine, version: number): string {
  const time = nullable(Number.isFinite(line.timeMs) ? String(Math.trunc(line.timeMs!)) : null)
  return `${checkedId(line.experimentId)}\t${checkedLine(line.line)}\t${time}\t${line.level}\t${textField(
    line.label,
  )}\t${textField(line.text)}\t${version}\n`
}

function factRows(update: FactsUpdate, version: number): string {
  const start = `${checkedId(update.projectId)}\t${checkedId(update.experimentId)}\t`
  let rows = ''
  for (const { key, number, text } of update.facts)
    rows += `${start}${textField(key)}\t${nullable(number === null ? null : numberField(number))}\t${nullable(
      text === null ? null : textField(text),
    )}\t0\t${version}\n`
  const kept = new Set(update.facts.map((fact) => fact.key))
  for (const key of update.removedKeys)
    if (!kept.has(key)) rows += `${start}${textField(key)}\t\\N\t\\N\t1\t${version}\n`
  // The mark that this experiment exists, see the migration.
  return update.facts.length === 0 ? rows : `${rows}${start}\t\\N\t\\N\t0\t${version}\n`
}

function checkedId(id: string): string {
  if (!uuid.test(id)) throw new GridError('invalid', `${JSON.stringify(id)} is no id.`)
  return id
}

function checkedLine(line: number): number {
  if (!Number.isInteger(line) || line < 0 || line > lineMax)
    throw new GridError('invalid', `${line} is no line number.`)
  return line
}

function checkedStep(step: number): number {
  if (!Number.isSafeInteger(step)) throw new GridError('invalid', `${step} is no step.`)
  return step
}
