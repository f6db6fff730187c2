import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { CollectionList, FirstArtifact } from '../../features/artifacts/collection-list.tsx'
import { collectionsQuery } from '../../features/artifacts/queries.ts'
import { projectQuery } from '../../features/teams/queries.ts'
import { isNotFound } from '../../lib/client.ts'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { Page } from '../../ui/layout.tsx'
import { NotFound } from '../page-states.tsx'

const route = getRouteApi('/inside/$team/$project/artifacts')

/** A project's artifacts: types, collections, the newest version of each. */
export function ArtifactsPage() {
  const place = route.useParams()
  useQuery({ ...projectQuery(place.team, place.project), retry: false })
  const found = useQuery(collectionsQuery(place))
  if (found.isError && isNotFound(found.error)) return <NotFound />
  return (
    <Page
      title="Artifacts"
      wide
      note={
        <Link to="/$team/$project" params={place} className="text-ink-faint hover:underline">
          {place.team} / {place.project}
        </Link>
      }
    >
      {found.isError ? (
        <Problem error={found.error} retry={() => void found.refetch()} />
      ) : found.data === undefined ? (
        <SkeletonRows />
      ) : found.data.length === 0 ? (
        <FirstArtifact {...place} />
      ) : (
        <CollectionList place={place} collections={found.data} />
      )}
    </Page>
  )
}
