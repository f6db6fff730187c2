/**
 * The history of an ended experiment as Parquet files. They are made when somebody first asks, and kept; when the
 * experiment was continued, what came new goes into a further file and the earlier ones stay as they are, for clients
 * keep copies under their number.
 *
 * Only histories of which every row has the same keys, and plain values, are exported: readers of a table cannot tell a
 * key that was not logged from one that was logged empty. Others are read line by line.
 */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { parquetWriteBuffer } from 'hyparquet-writer'
import type { Actor } from '../actor.ts'
import { mediaTypeOf } from '../lib/media-type.ts'
import { readerOf } from '../lib/signed.ts'
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

  function urlOf(actor: Actor, { id, teamId }: StoredExperiment, { blobKey }: Part): string {
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

  return { exportedHistory }
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
