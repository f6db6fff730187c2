import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { FreshKey } from '../../features/account/key-commands.tsx'
import { ActivityLog } from '../../features/teams/activity.tsx'
import { Invitations } from '../../features/teams/invitations.tsx'
import { Members } from '../../features/teams/members.tsx'
import { PolicySettings } from '../../features/teams/policy.tsx'
import { teamQuery } from '../../features/teams/queries.ts'
import { ServiceAccounts } from '../../features/teams/service-accounts.tsx'
import { isNotFound } from '../../lib/client.ts'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { Page } from '../../ui/layout.tsx'
import { NotFound } from '../page-states.tsx'

const route = getRouteApi('/inside/teams/$team')

/** Members, invitations, service accounts, and who may do what. */
export function TeamSettingsPage() {
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
      title={`${team.data.name || slug}: members and policy`}
      actions={
        <>
          <Link
            to="/teams/$team/alerts"
            params={{ team: slug }}
            className="text-[13px] text-accent hover:underline"
          >
            Alerts
          </Link>
          <Link to="/$team" params={{ team: slug }} className="text-[13px] text-accent hover:underline">
            Projects of {slug}
          </Link>
        </>
      }
    >
      <Members team={team.data} />
      {team.data.kind === 'team' && (
        <>
          <Invitations team={team.data} />
          <ServiceAccounts team={team.data} showKey={(secret) => <FreshKey secret={secret} />} />
        </>
      )}
      <PolicySettings team={team.data} />
      <ActivityLog team={team.data} />
    </Page>
  )
}
