import { useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { CollectionList } from '../../features/artifacts/collection-list.tsx'
import { registriesQuery, registryQuery } from '../../features/artifacts/queries.ts'
import { RegistryDialog } from '../../features/artifacts/registry-dialog.tsx'
import { RegistryMembers } from '../../features/artifacts/registry-members.tsx'
import { Audience } from '../../features/artifacts/registry-table.tsx'
import { grid, isNotFound } from '../../lib/client.ts'
import { plural } from '../../lib/format.ts'
import { Button } from '../../ui/button.tsx'
import { CommandBlock } from '../../ui/command-block.tsx'
import { Confirm } from '../../ui/dialog.tsx'
import { EmptyState, Problem, SkeletonRows, Tag } from '../../ui/feedback.tsx'
import { TrashIcon } from '../../ui/icons.tsx'
import { Page } from '../../ui/layout.tsx'
import { tell } from '../../ui/toast.tsx'
import { NotFound } from '../page-states.tsx'

const route = getRouteApi('/inside/registries/$registry')

/** One registry: what is linked into it, and who may do what there. */
export function RegistryPage() {
  const { registry: name } = route.useParams()
  const navigate = route.useNavigate()
  const queries = useQueryClient()
  const found = useQuery(registryQuery(name))
  const [asking, setAsking] = useState<'edit' | 'delete'>()
  if (found.isError && isNotFound(found.error)) return <NotFound />
  const { data } = found
  if (data === undefined) {
    return found.isError ? (
      <Problem error={found.error} retry={() => void found.refetch()} />
    ) : (
      <SkeletonRows className="mx-auto max-w-7xl py-8" />
    )
  }
  const refused = data.editRefusal ?? undefined
  return (
    <Page
      wide
      title={data.name}
      note={
        <span className="flex flex-wrap items-center gap-2 text-ink-faint">
          <Link to="/registries" className="hover:underline">
            registries
          </Link>
          <Audience of={data} />
          {data.role !== null && <Tag tone="accent">you: {data.role}</Tag>}
        </span>
      }
      actions={
        <>
          <Button refused={refused} onClick={() => setAsking('edit')}>
            Edit
          </Button>
          <Button look="danger" refused={refused} onClick={() => setAsking('delete')}>
            <TrashIcon /> Delete
          </Button>
        </>
      }
    >
      {data.description !== '' && <p className="whitespace-pre-wrap">{data.description}</p>}
      {data.list.length === 0 ? (
        <EmptyState
          title="Nothing is linked into it yet"
          says={
            data.types === null
              ? 'It takes artifacts of every type.'
              : `It takes artifacts of type ${data.types.join(', ')}.`
          }
        >
          <CommandBlock
            title="Link a version from a script"
            text={`import wandb\n\nartifact = wandb.Api().artifact("team/project/my-model:latest")\nartifact.link(${JSON.stringify(`${data.project}/my-model`)})`}
          />
        </EmptyState>
      ) : (
        <CollectionList place={{ team: data.team, project: data.project }} collections={data.list} />
      )}
      <RegistryMembers of={data} />
      <RegistryDialog
        open={asking === 'edit'}
        onClose={() => setAsking(undefined)}
        of={data}
        onDone={() => setAsking(undefined)}
      />
      <Confirm
        open={asking === 'delete'}
        onClose={() => setAsking(undefined)}
        title={`Delete registry ${data.name}?`}
        says={
          <p>
            <b>{data.name}</b> with {plural(data.list.length, 'collection')} of links will be gone for the
            whole organisation. The versions themselves stay in the projects where they were made.
          </p>
        }
        verb="Delete"
        act={async () => {
          await grid.registries.delete({ registry: name })
          tell(`Deleted registry ${data.name}`)
          await navigate({ to: '/registries' })
          await queries.invalidateQueries({ queryKey: registriesQuery().queryKey })
        }}
      />
    </Page>
  )
}
