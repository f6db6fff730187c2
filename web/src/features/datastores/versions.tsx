import type { Datastore, DatastoreVersion } from '@teamgrid/api'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { formatBytes, formatCount } from '../../lib/format.ts'
import { Button } from '../../ui/button.tsx'
import { Tag } from '../../ui/feedback.tsx'
import { Confirm } from '../../ui/dialog.tsx'
import { PlainTable } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'
import { tell, tellError } from '../../ui/toast.tsx'
import { deletionQuery } from './queries.ts'

/** Every version, those in the trash too. */
export function Versions({
  datastore,
  version: chosen,
  onChoose,
  refused,
}: {
  datastore: Datastore
  version: number | undefined
  onChoose: (version: number) => void
  /** Why the person may not delete; undefined when they may. */
  refused: string | undefined
}) {
  const [leaving, setLeaving] = useState<DatastoreVersion>()
  const queries = useQueryClient()
  const again = () => queries.invalidateQueries({ queryKey: api.datastores.key() })
  return (
    <>
      <PlainTable label="Versions" head={['Version', 'Files', 'Size', 'From', 'By', 'When', '']}>
        {datastore.versions.map((version) => (
          <tr
            key={version.number}
            className={version.number === chosen ? 'bg-accent-wash' : 'hover:bg-hover'}
          >
            <td>
              {version.status === 'deleted' ? (
                <span className="text-ink-faint line-through">{version.number}</span>
              ) : (
                <button
                  type="button"
                  className="font-medium hover:underline"
                  onClick={() => onChoose(version.number)}
                >
                  {version.number}
                </button>
              )}
            </td>
            <td className="whitespace-nowrap">
              {formatCount(version.files)}{' '}
              {version.damagedFiles > 0 && <Tag tone="bad">{formatCount(version.damagedFiles)} damaged</Tag>}
            </td>
            <td>{formatBytes(version.sizeBytes)}</td>
            <td className="max-w-56 truncate text-ink-faint" title={version.source}>
              {version.source}
            </td>
            <td>{version.createdBy.username}</td>
            <td className="whitespace-nowrap text-ink-soft">
              <Ago at={version.createdAt} />
            </td>
            <td className="text-right">
              {version.status === 'deleted' ? (
                <Button
                  small
                  refused={refused}
                  onClick={() =>
                    void grid.datastores
                      .restore({ datastoreId: datastore.id, version: version.number })
                      .then(again, tellError)
                  }
                >
                  Restore
                </Button>
              ) : (
                <Button small look="ghost" refused={refused} onClick={() => setLeaving(version)}>
                  Delete
                </Button>
              )}
            </td>
          </tr>
        ))}
      </PlainTable>
      <Confirm
        open={leaving !== undefined}
        onClose={() => setLeaving(undefined)}
        title={`Delete version ${leaving?.number} of ${datastore.name}?`}
        says={leaving && <WhatGoes datastore={datastore} version={leaving.number} />}
        verb="Put into the trash"
        act={async () => {
          await grid.datastores.delete({ datastoreId: datastore.id, version: leaving!.number })
          tell(`Version ${leaving!.number} is in the trash`)
          await again()
        }}
      />
    </>
  )
}

function WhatGoes({ datastore, version }: { datastore: Datastore; version: number }) {
  const found = useQuery(deletionQuery({ datastoreId: datastore.id, version }))
  const frees = found.data
    ? `${formatBytes(found.data.freesBytes)} of its ${formatBytes(found.data.sizeBytes)}, the rest is in other versions too.`
    : '…'
  return (
    <p>
      Nobody can read it any more. For {found.data?.restorableDays ?? 7} days it can be restored; then it is
      gone, which frees {frees}
    </p>
  )
}
