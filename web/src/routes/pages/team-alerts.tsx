import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { AlertChannels, AlertDeliveries } from '../../features/alerts/channels.tsx'
import { AlertRules } from '../../features/alerts/rules.tsx'
import { teamQuery } from '../../features/teams/queries.ts'
import { isNotFound } from '../../lib/client.ts'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { Page } from '../../ui/layout.tsx'
import { NotFound } from '../page-states.tsx'

const route = getRouteApi('/inside/teams/$team/alerts')

/** Rules, channels, and what was sent. */
export function TeamAlertsPage() {
  const { team: slug } = route.useParams()
  const team = useQuery(teamQuery(slug))
  if (team.isError)
    return isNotFound(team.error) ? (
      <NotFound />
    ) : (
      <Problem error={team.error} retry={() => void team.refetch()} />
    )
  if (team.data === undefined) return <SkeletonRows className="mx-auto max-w-4xl py-8" />
  return (
    <Page
      wide
      title={`${team.data.name || slug}: alerts`}
      actions={
        <>
          <Link to="/teams/$team" params={{ team: slug }} className="text-[13px] text-accent hover:underline">
            Members and policy
          </Link>
          <Link to="/$team" params={{ team: slug }} className="text-[13px] text-accent hover:underline">
            Projects of {slug}
          </Link>
        </>
      }
    >
      <AlertRules team={team.data} />
      <AlertChannels team={team.data} />
      <AlertDeliveries team={team.data} />
    </Page>
  )
}
