import type { Datastore, StorageOfOwner } from '@teamgrid/api'
import { Link } from '@tanstack/react-router'
import { formatBytes, formatCount } from '../../lib/format.ts'
import { Tag } from '../../ui/feedback.tsx'
import { PlainTable } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'

/** A team's datastores with their newest versions. */
export function DatastoreTable({ datastores }: { datastores: readonly Datastore[] }) {
  return (
    <PlainTable label="Datastores" head={['Datastore', 'Version', 'Files', 'Size', 'Owner', 'Last version']}>
      {datastores.map((datastore) => {
        const newest = datastore.versions.find((version) => version.status === 'succeeded')
        return (
          <tr key={datastore.id} className="hover:bg-hover">
            <td className="max-w-72">
              <span className="flex items-center gap-2">
                <Link
                  to="/$team/datastores/$owner/$name"
                  params={{ team: datastore.team, owner: datastore.owner.username, name: datastore.name }}
                  className="truncate font-medium hover:underline"
                >
                  {datastore.name}
                </Link>
                {datastore.visibility !== 'team' && <Tag>{datastore.visibility}</Tag>}
              </span>
              {datastore.description !== '' && (
                <p className="truncate text-ink-faint">{datastore.description}</p>
              )}
            </td>
            <td>{newest?.number ?? <span className="text-ink-faint">none</span>}</td>
            <td>{newest && formatCount(newest.files)}</td>
            <td>{newest && formatBytes(newest.sizeBytes)}</td>
            <td>{datastore.owner.username}</td>
            <td className="whitespace-nowrap text-ink-soft">
              <Ago at={newest?.createdAt} />
            </td>
          </tr>
        )
      })}
    </PlainTable>
  )
}

/** Who keeps how much. Equal files count once. */
export function StorageTable({ rows }: { rows: readonly StorageOfOwner[] }) {
  return (
    <PlainTable
      label="Storage by owner"
      head={['Owner', 'Datastores', 'Versions', 'Stored', 'Before sharing']}
    >
      {rows.map((row) => (
        <tr key={row.owner.username}>
          <td>{row.owner.username}</td>
          <td>{formatCount(row.datastores)}</td>
          <td>{formatCount(row.versions)}</td>
          <td>{formatBytes(row.storedBytes)}</td>
          <td className="text-ink-faint">{formatBytes(row.sizeBytes)}</td>
        </tr>
      ))}
    </PlainTable>
  )
}
