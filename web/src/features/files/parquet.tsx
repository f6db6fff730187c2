import type { FileInfo } from '@teamgrid/api'
import { useQuery } from '@tanstack/react-query'
import { formatBytes, formatCount } from '../../lib/format.ts'
import { DataTable } from '../../ui/data-table.tsx'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'

const rowsMax = 200
/** Columns of a group of rows are read whole, however few rows are shown. */
const groupBytesMax = 64 * 1024 * 1024

/** The first rows of a Parquet file; of a large one only the pieces that hold them are fetched. */
export function ParquetPreview({ file }: { file: FileInfo }) {
  const found = useQuery({
    queryKey: ['file-parquet', file.path, file.md5Hex, file.updatedAt],
    queryFn: ({ signal }) => readParquet(file, signal),
    staleTime: Infinity,
    retry: false,
  })
  if (found.isError) return <Problem error={found.error} retry={() => void found.refetch()} />
  if (found.data === undefined) return <SkeletonRows />
  const { columns, rows, count } = found.data
  return (
    <>
      {count > rows.length && (
        <p className="border-b border-line bg-warn-wash px-4 py-1.5 text-[13px]">
          The first {formatCount(rows.length)} of {formatCount(count)} rows.
        </p>
      )}
      <DataTable columns={columns} rows={rows} label={file.path} />
    </>
  )
}

async function readParquet(file: FileInfo, signal: AbortSignal) {
  // Only for who opens such a file.
  const { parquetMetadataAsync, parquetReadObjects, parquetSchema } = await import('hyparquet')
  const source = {
    byteLength: file.sizeBytes,
    async slice(start: number, end = file.sizeBytes): Promise<ArrayBuffer> {
      const answer = await fetch(file.url, { signal, headers: { range: `bytes=${start}-${end - 1}` } })
      if (!answer.ok) throw new Error(`The file could not be read: the server answered ${answer.status}.`)
      return answer.arrayBuffer()
    },
  }
  const metadata = await parquetMetadataAsync(source)
  const groupBytes = Number(metadata.row_groups[0]?.total_byte_size ?? 0)
  if (groupBytes > groupBytesMax)
    throw new Error(
      `Its first rows lie in a group of ${formatBytes(groupBytes)}; download it to look inside.`,
    )
  const columns = parquetSchema(metadata).children.map(({ element }) => element.name)
  const rows = await parquetReadObjects({ file: source, metadata, rowStart: 0, rowEnd: rowsMax })
  return {
    columns,
    rows: rows.map((row) => columns.map((column) => textOf(row[column]))),
    count: Number(metadata.num_rows),
  }
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (value instanceof Date) return value.toISOString()
  if (typeof value === 'string') return value
  if (typeof value === 'bigint') return value.toString()
  return JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? Number(inner) : inner))
}
