/** The lines of one stream of an experiment as a Parquet file: readable by any tool, and read back without loss. */
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import { fileWriter, ParquetWriter } from 'hyparquet-writer'
import { GridError } from '@teamgrid/api'
import type { Line, MetricStore, Stream } from '../stores/clickhouse/metric-types.ts'

/** Lines held in memory at a time. */
const linesPerGroup = 1000
/** Beyond it a metric is only in the raw lines: a file with more columns is of no use to anybody. */
const columnsMax = 1000
/** A row group of an archive may not unpack to more than this. */
const groupBytesMax = 512 * 1024 * 1024

const own = ['_line', '_step', '_runtime', '_timestamp', '_raw']

type PointsOf = (experimentId: string, stream: Stream, line: number, raw: string) => Line

/**
 * Writes `_line`, `_step`, `_runtime` (s), `_timestamp` (epoch s), a column for each logged number, and `_raw`, the line as the
 * script sent it, from which everything can be made again.
 *
 * @param lines how many lines there are; later ones are left out.
 * @returns how many were written.
 */
export async function writeHistoryFile(
  path: string,
  { metrics, pointsOf }: { metrics: MetricStore; pointsOf: PointsOf },
  experiment: { id: string; stream: Stream; lines: number; rewritten: boolean },
): Promise<number> {
  const { id, stream } = experiment
  const keys = (await metrics.keys({ experimentIds: [id], stream }))
    .filter(({ kind, key }) => kind === 'number' && !own.includes(key))
    .map(({ key }) => key)
    .slice(0, columnsMax)
  const required = (name: string, type: 'INT64' | 'DOUBLE') => ({
    name,
    type,
    repetition_type: 'REQUIRED' as const,
  })
  const writer = new ParquetWriter({
    writer: fileWriter(path),
    schema: [
      { name: 'root', num_children: own.length + keys.length },
      required('_line', 'INT64'),
      required('_step', 'INT64'),
      required('_runtime', 'DOUBLE'),
      required('_timestamp', 'DOUBLE'),
      { name: '_raw', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
      ...keys.map((name) => ({ name, type: 'DOUBLE' as const, repetition_type: 'OPTIONAL' as const })),
    ],
    createdBy: 'teamgrid',
  })
  let written = 0
  for (let from = 0; ;) {
    const rows = await metrics.scan({
      experimentId: id,
      stream,
      lineFrom: from,
      limit: linesPerGroup,
      rewritten: experiment.rewritten,
    })
    const lines = rows
      .filter(({ line }) => line < experiment.lines)
      .map(({ line, raw }) => pointsOf(id, stream, line, raw))
    if (lines.length > 0) {
      await writer.write({
        columnData: [
          { name: '_line', data: lines.map(({ line }) => BigInt(line)) },
          { name: '_step', data: lines.map(({ step }) => BigInt(step)) },
          { name: '_runtime', data: lines.map(({ runtimeSeconds }) => runtimeSeconds) },
          { name: '_timestamp', data: lines.map(({ timestampSeconds }) => timestampSeconds) },
          { name: '_raw', data: lines.map(({ raw }) => raw) },
          ...keys.map((name) => ({ name, data: lines.map(({ numbers }) => numbers[name] ?? null) })),
        ],
      })
      written += lines.length
    }
    if (rows.length < linesPerGroup || lines.length === 0) break
    from = rows.at(-1)!.line + 1
  }
  await writer.finish()
  return written
}

/**
 * The raw lines of such a file, some at a time. The file comes from a stranger: what would unpack to more than a sane
 * row group is refused before it is unpacked.
 *
 * @throws GridError invalid, for what is no such file.
 */
export async function* readHistoryFile(path: string): AsyncGenerator<{ line: number; raw: string }[]> {
  try {
    const file = await asyncBufferFromFile(path)
    const metadata = await parquetMetadataAsync(file)
    let start = 0
    for (const group of metadata.row_groups) {
      const rows = Number(group.num_rows)
      const bytes = group.columns.reduce(
        (sum, column) => sum + Number(column.meta_data?.total_uncompressed_size ?? 0),
        0,
      )
      if (rows > 1_000_000 || bytes > groupBytesMax) throw new Error('a row group is too large')
      const found = (await parquetReadObjects({
        file,
        metadata,
        columns: ['_line', '_raw'],
        rowStart: start,
        rowEnd: start + rows,
      })) as { _line: bigint; _raw: string }[]
      yield found.map(({ _line, _raw }) => {
        if (typeof _raw !== 'string' || (typeof _line !== 'bigint' && typeof _line !== 'number'))
          throw new Error('it has other columns')
        return { line: Number(_line), raw: _raw }
      })
      start += rows
    }
  } catch (error) {
    if (error instanceof GridError) throw error
    throw new GridError('invalid', `A history in this export cannot be read: ${(error as Error).message}`, {
      cause: error,
    })
  }
}
