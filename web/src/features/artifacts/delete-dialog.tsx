import type { DeletePreview } from '@teamgrid/api'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { formatBytes, plural } from '../../lib/format.ts'
import { Button } from '../../ui/button.tsx'
import { Confirm } from '../../ui/dialog.tsx'
import { Skeleton } from '../../ui/feedback.tsx'
import { TrashIcon } from '../../ui/icons.tsx'
import { tell } from '../../ui/toast.tsx'
import { type CollectionRef, deletionQuery } from './queries.ts'

/** Deletes a version, or a whole collection; says beforehand what goes and what that frees. */
export function DeleteButton({
  of,
  isLink,
  onDeleted,
}: {
  of: CollectionRef & { version?: string }
  /** Only the link goes. */
  isLink?: boolean
  onDeleted: () => void
}) {
  const queries = useQueryClient()
  const [asking, setAsking] = useState(false)
  const preview = useQuery({ ...deletionQuery(of), enabled: true })
  const name = of.version === undefined ? of.collection : `${of.collection}:${of.version}`
  const verb = isLink === true && of.version !== undefined ? 'Unlink' : 'Delete'
  return (
    <>
      <Button
        look="danger"
        refused={preview.isError ? preview.error.message : (preview.data?.refusal ?? undefined)}
        busy={preview.isPending}
        onClick={() => setAsking(true)}
      >
        <TrashIcon /> {verb}
      </Button>
      <Confirm
        open={asking}
        onClose={() => setAsking(false)}
        title={`${verb} ${name}?`}
        says={
          preview.data === undefined ? (
            <Skeleton />
          ) : (
            sentenceOf(preview.data, name, of.version, isLink === true)
          )
        }
        verb={verb}
        act={async () => {
          const { team, project, collection, version } = of
          await (version === undefined
            ? grid.artifacts.deleteCollection({ team, project, collection })
            : grid.artifacts.delete({ team, project, collection, version, aliases: true }))
          tell(isLink === true ? `Unlinked ${name}` : `Deleted ${name}`)
          onDeleted()
          await queries.invalidateQueries({ queryKey: api.artifacts.key() })
        }}
      />
    </>
  )
}

function sentenceOf(
  { versions, sizeBytes, freedBytes, aliases }: DeletePreview,
  name: string,
  version: string | undefined,
  isLink: boolean,
): ReactNode {
  if (isLink && version !== undefined) {
    return (
      <p>
        <b>{name}</b> is a link; the version itself stays where it was made.
      </p>
    )
  }
  const used = versions.reduce((sum, each) => sum + each.usedBy, 0)
  const links = versions.reduce((sum, each) => sum + each.links, 0)
  return (
    <div className="flex flex-col gap-2">
      <p>
        {version === undefined ? (
          <>
            <b>{name}</b> with {plural(versions.length, 'version')}
          </>
        ) : (
          <b>{name}</b>
        )}
        , {formatBytes(sizeBytes)}, will be gone for the whole team.{' '}
        <b>
          {freedBytes === sizeBytes
            ? `${formatBytes(freedBytes)} are freed.`
            : `${formatBytes(freedBytes)} are freed; other versions keep the rest.`}
        </b>
      </p>
      {aliases.length > 0 && <p>Its aliases go with it: {aliases.join(', ')}.</p>}
      {used > 0 && <p>{plural(used, 'experiment')} used it and will show it as deleted.</p>}
      {links > 0 && <p>{plural(links, 'link')} to it will be taken away.</p>}
    </div>
  )
}
