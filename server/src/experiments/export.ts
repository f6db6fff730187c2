/**
 * The history of an ended experiment as Parquet files. They are made when somebody first asks, and kept; when the
 * experiment was continued, what came new goes into a further file and the earlier ones stay as they are, for clients
 * keep copies under their number.
 *
 * Clients read rows from these files instead of asking for them, and cannot tell a key that was not logged from one
 * that was logged empty. So `exportedHistory` gives files only where every row has the same keys and plain values.
 * Whoever wants files and no rows gets them for every history from `exportedTable`, with holes.
 */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { parquetWriteBuffer } from 'hyparquet-writer'
import type { Actor } from '../actor.ts'
import { mediaTypeOf } from '../lib/media-type.ts'
import { readerOf } from '../lib/signed.ts'
import { createColumns, type SparseColumn } from '../lib/sparse-rows.ts'
import { type Column, createUniformRows } from '../lib/uniform-rows.ts'
import type { Parts } from './deps.ts'
import { isEnded } from './experiment.ts'
import type { StoredExperiment } from './types.ts'

/** Rows × keys of one file, and of all of an experiment. */
const cellsPerFile = 2_000_000
const cellsMax = 20_000_000
const linesAtOnce = 1000
/** Experiments of which it is remembered that they cannot be exported. */
const refusedMax = 1000
/** Of a table with holes: 100 files of two million. What is more is read as rows. */
const tableCellsMax = 200_000_000
const tableColumnsMax = 20_000

/** A stored file: it holds lines `[from, to)`. */
type Part = { blobKey: string; to: number; keysHash: string }

export function createExport({ metrics, blobs, signed }: Pick<Parts, 'metrics' | 'blobs' | 'signed'>) {
  const running = new Map<string, Promise<Part[] | undefined>>()
  const refused = new Map<string, number>()

  /**
   * Urls of the files that together hold the whole history, for a day and as long as the actor stays in the team.
   *
   * @returns undefined when the history has to be read line by line.
   */
  async function exportedHistory(actor: Actor, run: StoredExperiment): Promise<string[] | undefined> {
    if (!isEnded(run.state) || run.historyLines === 0 || run.rewritten) return undefined
    // A client may still have a copy of what a rewound experiment had logged before.
    if (run.branchedFrom?.kind === 'rewind' || refused.get(run.id) === run.historyLines) return undefined
    const made = running.get(run.id) ?? ensureParts(run)
    running.set(run.id, made)
    try {
      const parts = await made
      if (parts !== undefined) return parts.map((part) => urlOf(actor, run, part))
      refused.delete(refused.size >= refusedMax ? [...refused.keys()][0]! : run.id)
      refused.set(run.id, run.historyLines)
      return undefined
    } finally {
      running.delete(run.id)
    }
  }

  async function ensureParts(run: StoredExperiment): Promise<Part[] | undefined> {
    const parts = await storedParts(run)
    const covered = parts.at(-1)?.to ?? 0
    if (covered === run.historyLines) return parts
    if (covered > run.historyLines) return undefined
    const keys = await metrics.keys({ experimentIds: [run.id], stream: 'history' })
    const cells = run.historyLines * keys.length
    if (cells > cellsMax || keys.some((key) => key.count !== run.historyLines)) return undefined
    const rowsPerFile = Math.ceil(cellsPerFile / (keys.length + 3))
    for (let from = covered; from < run.historyLines; from += rowsPerFile) {
      const to = Math.min(from + rowsPerFile, run.historyLines)
      const columns = await columnsOf(run, from, to)
      const keysHash = columns && hashOf(columns)
      if (!keysHash || keysHash !== (parts[0]?.keysHash ?? keysHash)) return undefined
      const name = `history-${String(parts.length).padStart(4, '0')}-${to}-${keysHash}.parquet`
      const part = { blobKey: `${prefixOf(run)}${name}`, to, keysHash }
      await blobs.put(part.blobKey, Readable.from([parquetOf(columns)]))
      parts.push(part)
    }
    return parts
  }

  const tables = new Map<string, Promise<string[] | undefined>>()

  /**
   * Urls of files that together hold the history up to now, whatever is in it: a column for every flattened key, empty
   * where a row has none (see `sparse-rows.ts`). One file's rows are in memory at a time. Files of an earlier state are
   * replaced.
   *
   * @returns undefined when there is nothing, or too much.
   */
  async function exportedTable(actor: Actor, run: StoredExperiment): Promise<string[] | undefined> {
    if (run.historyLines === 0) return undefined
    const key = `${run.id} ${run.historyLines}`
    const made = tables.get(key) ?? ensureTable(run)
    tables.set(key, made)
    try {
      return (await made)?.map((blobKey) => urlOf(actor, run, { blobKey }))
    } finally {
      tables.delete(key)
    }
  }

  async function ensureTable(run: StoredExperiment): Promise<string[] | undefined> {
    // Lines that were replaced, or that another branch gave, change the table without changing their number.
    const state = createHash('sha256')
      .update(JSON.stringify([run.historyLines, run.rewritten ? run.updatedAt : null, run.branchedFrom]))
      .digest('hex')
      .slice(0, 16)
    const stored: string[] = []
    for await (const { key } of blobs.list(`${prefixOf(run)}table-`)) stored.push(key)
    const fresh = stored.filter((key) => key.includes(`table-${state}-`)).toSorted()
    const [, files] = /-of-(\d+)\.parquet$/.exec(fresh[0] ?? '') ?? []
    if (files !== undefined && fresh.length === Number(files)) return fresh

    const columns = createColumns()
    let rows = 0
    for await (const lines of linesOf(run)) {
      for (const { raw } of lines) columns.see(raw)
      rows += lines.length
      if (columns.count > tableColumnsMax || rows * columns.count > tableCellsMax) return undefined
    }
    const rowsPerFile = Math.max(1, Math.ceil(cellsPerFile / columns.count))
    const count = Math.max(1, Math.ceil(rows / rowsPerFile))
    const made: string[] = []
    let table = columns.rows()
    let held = 0
    const write = async () => {
      const number = String(made.length).padStart(4, '0')
      const blobKey = `${prefixOf(run)}table-${state}-${number}-of-${count}.parquet`
      await blobs.put(blobKey, Readable.from([tableOf(table.columns())]))
      made.push(blobKey)
      table = columns.rows()
      held = 0
    }
    for await (const lines of linesOf(run)) {
      for (const { raw, step } of lines) {
        // What came between the two looks belongs to the next table.
        if (made.length * rowsPerFile + held === rows) break
        table.add(raw, step)
        held += 1
        if (held === rowsPerFile) await write()
      }
    }
    if (held > 0) await write()
    await blobs.remove(stored.filter((key) => !made.includes(key)))
    return made
  }

  async function* linesOf(run: StoredExperiment) {
    for (let lineFrom = 0; lineFrom < run.historyLines;) {
      const lines = await metrics.scan({
        experimentId: run.id,
        stream: 'history',
        lineFrom,
        limit: linesAtOnce,
        rewritten: run.rewritten,
      })
      const wanted = lines.filter(({ line }) => line < run.historyLines)
      if (wanted.length === 0) return
      yield wanted
      lineFrom = wanted.at(-1)!.line + 1
    }
  }

  async function storedParts(run: StoredExperiment): Promise<Part[]> {
    const parts: Part[] = []
    for await (const { key } of blobs.list(prefixOf(run))) {
      const [, to, keysHash] = /history-\d+-(\d+)-([0-9a-f]+)\.parquet$/.exec(key) ?? []
      if (to !== undefined && keysHash !== undefined) parts.push({ blobKey: key, to: Number(to), keysHash })
    }
    return parts
  }

  /** @returns undefined when lines are missing, do not fit together, or go back in their steps. */
  async function columnsOf(run: StoredExperiment, from: number, to: number): Promise<Column[] | undefined> {
    const rows = createUniformRows()
    let lineFrom = from
    while (lineFrom < to) {
      const lines = await metrics.scan({
        experimentId: run.id,
        stream: 'history',
        lineFrom,
        limit: Math.min(linesAtOnce, to - lineFrom),
        rewritten: run.rewritten,
      })
      for (const { line, raw } of lines) if (line !== lineFrom++ || !rows.add(raw)) return undefined
      if (lines.length === 0) return undefined
    }
    const columns = rows.columns()
    const steps = columns.find((column) => column.name === '_step')
    if (steps?.type !== 'INT64') return undefined
    return steps.values.every((step, index) => index === 0 || step > steps.values[index - 1]!)
      ? columns
      : undefined
  }

  function urlOf(actor: Actor, { id, teamId }: StoredExperiment, { blobKey }: Pick<Part, 'blobKey'>): string {
    const fileName = blobKey.split('/').at(-1)!
    return (
      actor.origin +
      signed.sign(
        {
          do: 'get',
          blobKey,
          mediaType: mediaTypeOf(fileName),
          download: true,
          ...readerOf(actor, teamId, { kind: 'experiment', id }),
        },
        { fileName },
      )
    )
  }

  return { exportedHistory, exportedTable }
}

/** Below the files of the experiment, so that it goes with them. */
function prefixOf({ id, projectId }: StoredExperiment): string {
  return `files/${projectId}/${id}/exports/`
}

function hashOf(columns: Column[]): string {
  const names = columns.map((column) => column.name).toSorted()
  return createHash('sha256').update(JSON.stringify(names)).digest('hex').slice(0, 16)
}

function parquetOf(columns: Column[]): Buffer {
  return Buffer.from(
    parquetWriteBuffer({
      createdBy: 'teamgrid',
      columnData: columns.map(({ name, type, values }) => ({
        name,
        type,
        nullable: false,
        data: type === 'INT64' ? values.map(BigInt) : values,
      })),
    }),
  )
}

function tableOf(columns: SparseColumn[]): Buffer {
  return Buffer.from(
    parquetWriteBuffer({
      createdBy: 'teamgrid',
      columnData: columns.map(({ name, type, values }) => ({ name, type, nullable: true, data: values })),
    }),
  )
}
