import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { DeleteButton } from '../../features/artifacts/delete-dialog.tsx'
import { RegistryLink } from '../../features/artifacts/names.tsx'
import { VersionTable } from '../../features/artifacts/of-experiment.tsx'
import { versionsQuery } from '../../features/artifacts/queries.ts'
import { isNotFound } from '../../lib/client.ts'
import { Button } from '../../ui/button.tsx'
import { Problem, SkeletonRows, Tag } from '../../ui/feedback.tsx'
import { Page } from '../../ui/layout.tsx'
import { NotFound } from '../page-states.tsx'

const route = getRouteApi('/inside/$team/$project/artifacts/$type/$collection')
const atOnce = 50

/** One collection: its versions, newest first. */
export function ArtifactCollectionPage() {
  const { team, project, collection } = route.useParams()
  const navigate = route.useNavigate()
  const [limit, setLimit] = useState(atOnce)
  const ref = { team, project, collection }
  const found = useQuery(versionsQuery(ref, Math.min(500, limit)))
  if (found.isError && isNotFound(found.error)) return <NotFound />
  const { data } = found
  return (
    <Page
      title={collection}
      wide
      note={
        <span className="flex flex-wrap items-center gap-2 text-ink-faint">
          {project.startsWith('wandb-registry-') ? (
            <RegistryLink project={project} />
          ) : (
            <Link to="/$team/$project/artifacts" params={{ team, project }} className="hover:underline">
              {team} / {project} / artifacts
            </Link>
          )}
          {data && <Tag>{data.collection.type}</Tag>}
          {data?.collection.isLinks === true && <Tag tone="accent">links</Tag>}
          {data?.collection.tags.map((tag) => (
            <Tag key={tag}>{tag}</Tag>
          ))}
        </span>
      }
      actions={
        data && (
          <DeleteButton
            of={ref}
            isLink={data.collection.isLinks}
            onDeleted={() => void navigate({ to: '/$team/$project/artifacts', params: { team, project } })}
          />
        )
      }
    >
      {found.isError && <Problem error={found.error} retry={() => void found.refetch()} />}
      {data === undefined ? (
        !found.isError && <SkeletonRows />
      ) : (
        <>
          {data.collection.description !== null && (
            <p className="whitespace-pre-wrap">{data.collection.description}</p>
          )}
          <VersionTable title="Versions" says="No version is left in it." of={data.items} />
          {data.nextCursor !== null && limit < 500 && (
            <div>
              <Button busy={found.isFetching} onClick={() => setLimit(limit + 150)}>
                Show more
              </Button>
            </div>
          )}
        </>
      )}
    </Page>
  )
}
