import type { ArtifactFileInfo } from '@teamgrid/api'
import { formatCount } from '../../lib/format.ts'
import { PlainTable, Section } from '../../ui/layout.tsx'

/** Files that are kept elsewhere: what they point to is shown, and opened only where that is safe. */
export function References({ of }: { of: readonly ArtifactFileInfo[] }) {
  if (of.length === 0) return null
  return (
    <Section
      title="References"
      says={
        of.length === 1
          ? 'One file that is kept elsewhere'
          : `${formatCount(of.length)} files that are kept elsewhere`
      }
      flush
    >
      <PlainTable label="References" head={['Name', 'Points to']}>
        {of.map((each) => (
          <tr key={each.path}>
            <td className="max-w-80 truncate">{each.path}</td>
            <td className="max-w-xl truncate font-mono text-xs">
              {each.url === '' ? (
                each.reference
              ) : (
                <a href={each.url} rel="noreferrer noopener" target="_blank" className="hover:underline">
                  {each.reference}
                </a>
              )}
            </td>
          </tr>
        ))}
      </PlainTable>
    </Section>
  )
}
