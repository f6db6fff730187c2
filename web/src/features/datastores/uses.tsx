import { useQuery } from '@tanstack/react-query'
import { plural } from '../../lib/format.ts'
import { Tag } from '../../ui/feedback.tsx'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'
import { usesQuery } from './queries.ts'

/** What uses the versions of a datastore, or did; nothing where nothing ever has. */
export function UsedBy({ datastoreId }: { datastoreId: string }) {
  const found = useQuery(usesQuery(datastoreId))
  if (found.data === undefined || found.data.items.length + found.data.hidden === 0) return null
  const { items, hidden } = found.data
  return (
    <Section title="Used by" says="A version that is in use cannot be deleted." flush>
      {items.length > 0 && (
        <PlainTable label="Used by" head={['Name', 'Version', 'By', 'Team', 'Since', '']}>
          {items.map((use) => (
            <tr key={`${use.kind} ${use.id} ${use.version}`}>
              <td>
                <span className="text-ink-faint">{use.kind}</span> {use.label}
              </td>
              <td>{use.version}</td>
              <td>{use.by.username}</td>
              <td>{use.team}</td>
              <td className="whitespace-nowrap text-ink-soft">
                <Ago at={use.startedAt} />
              </td>
              <td className="text-right">{use.endedAt === null && <Tag tone="good">in use</Tag>}</td>
            </tr>
          ))}
        </PlainTable>
      )}
      {hidden > 0 && (
        <p className="px-4 py-2 text-[13px] text-ink-faint">
          {items.length > 0 ? '… and ' : ''}
          {plural(hidden, 'more use')} you may not see
        </p>
      )}
    </Section>
  )
}
