import { useQuery } from '@tanstack/react-query'
import { DataTable } from '../../ui/data-table.tsx'
import { Problem, Skeleton } from '../../ui/feedback.tsx'
import { readJson } from './read-json.ts'
import { isRecord, tableOf } from './values.ts'

/** A logged table with its pictures in place. */
export function LoggedTable({
  url,
  label,
  fileUrl,
}: {
  url: string
  label: string
  fileUrl: (path: string) => string | undefined
}) {
  const content = useQuery({
    queryKey: ['table', url],
    queryFn: ({ signal }) => readJson(url, signal),
    staleTime: Infinity,
  })
  if (content.isError) return <Problem error={content.error} retry={() => void content.refetch()} />
  if (content.isPending) return <Skeleton className="m-3 h-40" />
  const table = tableOf(content.data)
  if (table === undefined) return <p className="p-3 text-[13px] text-ink-faint">This table cannot be read.</p>
  const hasPictures = table.rows
    .slice(0, 20)
    .some((row) => row.some((value) => pictureOf(value, fileUrl) !== undefined))
  return (
    <DataTable
      label={label}
      columns={table.columns}
      rows={table.rows}
      {...(hasPictures ? { tall: 68 } : {})}
      cell={(value) => {
        const picture = pictureOf(value, fileUrl)
        return picture === undefined ? undefined : (
          <img src={picture} alt="" loading="lazy" className="h-15 object-contain" />
        )
      }}
    />
  )
}

function pictureOf(value: unknown, fileUrl: (path: string) => string | undefined): string | undefined {
  if (!isRecord(value) || value._type !== 'image-file' || typeof value.path !== 'string') return undefined
  const url = fileUrl(value.path)
  return url === '' ? undefined : url
}
