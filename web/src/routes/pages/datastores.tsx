import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { DatastoreTable, StorageTable } from '../../features/datastores/datastore-table.tsx'
import { datastoresQuery, datastoreStorageQuery } from '../../features/datastores/queries.ts'
import { UploadDialog } from '../../features/datastores/upload-dialog.tsx'
import { projectsQuery, teamQuery } from '../../features/teams/queries.ts'
import { isNotFound } from '../../lib/client.ts'
import { useMe, useRefusal } from '../../lib/me.ts'
import { Button } from '../../ui/button.tsx'
import { CommandBlock } from '../../ui/command-block.tsx'
import { EmptyState, Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { Page, Section } from '../../ui/layout.tsx'
import { NotFound } from '../page-states.tsx'

const route = getRouteApi('/inside/$team/datastores')

/** The data of a team. */
export function DatastoresPage() {
  const { team: slug } = route.useParams()
  const navigate = route.useNavigate()
  const team = useQuery(teamQuery(slug))
  const found = useQuery(datastoresQuery(slug))
  const storage = useQuery(datastoreStorageQuery(slug))
  const me = useMe()
  const namesake = useQuery(projectsQuery(slug)).data?.find(({ name }) => name.toLowerCase() === 'datastores')
  const refused = useRefusal(team.data)('datastore:create', { ownerId: me?.user.id ?? null })
  const [uploading, setUploading] = useState(false)
  if (team.isError)
    return isNotFound(team.error) ? (
      <NotFound />
    ) : (
      <Problem error={team.error} retry={() => void team.refetch()} />
    )
  return (
    <Page
      wide
      title="Datastores"
      note={
        <Link to="/$team" params={{ team: slug }} className="text-ink-faint hover:underline">
          {slug}
        </Link>
      }
      actions={
        <Button look="primary" refused={refused} onClick={() => setUploading(true)}>
          New datastore
        </Button>
      }
    >
      {namesake !== undefined && (
        <p className="text-[13px] text-ink-soft">
          Looking for the project called {namesake.name}?{' '}
          <Link
            to="/$team/$project"
            params={{ team: slug, project: namesake.name }}
            className="text-accent hover:underline"
          >
            Open it
          </Link>
        </p>
      )}
      <Section title="All datastores" flush>
        {found.isError && <Problem error={found.error} retry={() => void found.refetch()} />}
        {found.isPending && <SkeletonRows rows={4} />}
        {found.data?.items.length === 0 && (
          <EmptyState
            title="No data yet"
            says="A datastore is a folder of files, uploaded once and versioned: later versions send only what changed, and everybody in the team reads the same bytes."
          >
            {refused === undefined && (
              <CommandBlock
                title="In a terminal"
                text={`grid login --url ${location.origin}\ngrid datastore create ./my-data --team ${slug}`}
              />
            )}
          </EmptyState>
        )}
        {found.data !== undefined && found.data.items.length > 0 && (
          <DatastoreTable datastores={found.data.items} />
        )}
      </Section>
      {storage.data !== undefined && storage.data.length > 0 && (
        <Section title="Storage by owner" says="Equal files are stored once." flush>
          <StorageTable rows={storage.data} />
        </Section>
      )}
      <UploadDialog
        team={slug}
        open={uploading}
        onClose={() => setUploading(false)}
        onDone={(name) => {
          setUploading(false)
          void navigate({
            to: '/$team/datastores/$owner/$name',
            params: { team: slug, owner: me!.user.username, name },
          })
        }}
      />
    </Page>
  )
}
