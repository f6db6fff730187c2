import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { runsQuery } from '../../features/runs/queries.ts'
import { RunTable } from '../../features/runs/run-table.tsx'
import { teamQuery } from '../../features/teams/queries.ts'
import { isNotFound } from '../../lib/client.ts'
import { useRefusal } from '../../lib/me.ts'
import { CommandBlock } from '../../ui/command-block.tsx'
import { EmptyState, Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { Checkbox } from '../../ui/field.tsx'
import { Page, Section } from '../../ui/layout.tsx'
import { NotFound } from '../page-states.tsx'

const route = getRouteApi('/inside/teams/$team/runs')

/** The runs of a team, newest first. */
export function RunsPage() {
  const { team: slug } = route.useParams()
  const { archived } = route.useSearch()
  const navigate = route.useNavigate()
  const team = useQuery(teamQuery(slug))
  const found = useQuery(runsQuery(slug, archived === true))
  const refused = useRefusal(team.data)('run:create')
  if (team.isError)
    return isNotFound(team.error) ? (
      <NotFound />
    ) : (
      <Problem error={team.error} retry={() => void team.refetch()} />
    )
  return (
    <Page
      wide
      title="Runs"
      note={
        <Link to="/$team" params={{ team: slug }} className="text-ink-faint hover:underline">
          {slug}
        </Link>
      }
      actions={
        <Checkbox
          label="Archived"
          checked={archived === true}
          onChange={(event) => void navigate({ search: event.target.checked ? { archived: true } : {} })}
        />
      }
    >
      <Section title={archived ? 'Archived runs' : 'All runs'} flush>
        {found.isError && <Problem error={found.error} retry={() => void found.refetch()} />}
        {found.isPending && <SkeletonRows rows={4} />}
        {found.data?.items.length === 0 && (
          <EmptyState
            title={archived ? 'Nothing is archived' : 'No runs yet'}
            says="A run sends a script to a machine of the team, once for every combination of its arguments."
          >
            {refused === undefined && !archived && (
              <CommandBlock
                title="In a terminal"
                text={`grid login --url ${location.origin}\ngrid run --team ${slug} --localdir train.py --lr "[0.1, 0.01]"`}
              />
            )}
          </EmptyState>
        )}
        {found.data !== undefined && found.data.items.length > 0 && <RunTable runs={found.data.items} />}
      </Section>
    </Page>
  )
}
