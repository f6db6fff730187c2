import { useQuery } from '@tanstack/react-query'
import { formatBytes, formatCount } from '../../lib/format.ts'
import { Problem, SkeletonRows, Tag } from '../../ui/feedback.tsx'
import { PlainTable } from '../../ui/layout.tsx'
import { differenceQuery } from './queries.ts'

const tones = { added: 'good', removed: 'bad', changed: 'warn' } as const

/** Which files of a version are others than in an earlier one. */
export function Difference({
  datastoreId,
  version,
  since,
}: {
  datastoreId: string
  version: number
  since: number
}) {
  const found = useQuery(differenceQuery({ datastoreId, version, since }))
  if (found.isError) return <Problem error={found.error} retry={() => void found.refetch()} />
  if (found.data === undefined) return <SkeletonRows rows={3} />
  const { added, removed, changed, same, entries } = found.data
  const hidden = added + removed + changed - entries.length
  return (
    <>
      <p className="px-4 py-2.5 text-[13px] text-ink-soft">
        {formatCount(added)} added, {formatCount(removed)} removed, {formatCount(changed)} changed,{' '}
        {formatCount(same)} the same as in version {since}.
      </p>
      {entries.length > 0 && (
        <PlainTable label="Differences" head={['File', '', 'Before', 'After']}>
          {entries.map((entry) => (
            <tr key={entry.path}>
              <td className="max-w-96 truncate" title={entry.path}>
                {entry.path}
              </td>
              <td>
                <Tag tone={tones[entry.how]}>{entry.how}</Tag>
              </td>
              <td>{entry.sizeBefore === null ? '' : formatBytes(entry.sizeBefore)}</td>
              <td>{entry.sizeAfter === null ? '' : formatBytes(entry.sizeAfter)}</td>
            </tr>
          ))}
        </PlainTable>
      )}
      {hidden > 0 && <p className="px-4 py-2 text-[13px] text-ink-faint">… and {formatCount(hidden)} more</p>}
    </>
  )
}
