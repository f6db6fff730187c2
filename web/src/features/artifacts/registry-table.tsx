import type { Registry } from '@teamgrid/api'
import { Link } from '@tanstack/react-router'
import { formatCount } from '../../lib/format.ts'
import { Tag } from '../../ui/feedback.tsx'
import { PlainTable } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'
import { Tip } from '../../ui/tooltip.tsx'

export function RegistryTable({ of }: { of: readonly Registry[] }) {
  return (
    <PlainTable
      label="Registries"
      head={['Name', 'Seen by', 'Takes', 'Collections', 'Members', 'You', 'Changed']}
    >
      {of.map((each) => (
        <tr key={each.id} className="hover:bg-hover">
          <td className="max-w-96 min-w-40">
            <Link
              to="/registries/$registry"
              params={{ registry: each.name }}
              className="font-medium hover:underline"
            >
              {each.name}
            </Link>
            {each.description !== '' && <p className="truncate text-ink-faint">{each.description}</p>}
          </td>
          <td>
            <Audience of={each} />
          </td>
          <td className="max-w-60 truncate text-ink-soft">{each.types?.join(', ') ?? 'every type'}</td>
          <td>{formatCount(each.collections)}</td>
          <td>{formatCount(each.members)}</td>
          <td className="text-ink-soft">{each.role ?? '–'}</td>
          <td className="whitespace-nowrap text-ink-soft">
            <Ago at={each.updatedAt} />
          </td>
        </tr>
      ))}
    </PlainTable>
  )
}

export function Audience({ of }: { of: Pick<Registry, 'audience'> }) {
  return of.audience === 'organisation' ? (
    <Tip says="Everybody of the organisation may look and download">
      <span tabIndex={0}>
        <Tag>organisation</Tag>
      </span>
    </Tip>
  ) : (
    <Tip says="Its members alone know of it">
      <span tabIndex={0}>
        <Tag>restricted</Tag>
      </span>
    </Tip>
  )
}
