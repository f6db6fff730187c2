import type { ArtifactVersion } from '@teamgrid/api'
import { formatBytes, formatCount, plural } from '../../lib/format.ts'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'
import { Aliases, VersionLink } from './names.tsx'

/** Versions as a table, for an experiment's page. */
export function VersionTable({
  title,
  says,
  of,
}: {
  title: string
  says: string
  of: readonly ArtifactVersion[]
}) {
  return (
    <Section title={title} {...(of.length === 0 ? {} : { says: plural(of.length, 'version') })} flush>
      {of.length === 0 ? (
        <p className="p-4 text-[13px] text-ink-faint">{says}</p>
      ) : (
        <PlainTable label={title} head={['Version', 'Type', 'Aliases', 'Files', 'Size', 'Made']}>
          {of.map((each) => (
            <tr key={each.id} className="hover:bg-hover">
              <td className="max-w-96 truncate">
                <VersionLink of={each} />
              </td>
              <td>{each.type}</td>
              <td>
                <Aliases of={each.aliases} tags={each.tags} />
              </td>
              <td>{formatCount(each.fileCount)}</td>
              <td className="whitespace-nowrap">{formatBytes(each.sizeBytes)}</td>
              <td className="whitespace-nowrap text-ink-soft">
                <Ago at={each.createdAt} /> by {each.createdBy.username}
              </td>
            </tr>
          ))}
        </PlainTable>
      )}
    </Section>
  )
}
