import type { Team } from '@teamgrid/api'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { FreshKey } from '../../features/account/key-commands.tsx'
import { ActivityLog } from '../../features/teams/activity.tsx'
import { FormerMembers } from '../../features/teams/former-members.tsx'
import { ExportLink } from '../../features/teams/export-link.tsx'
import { Invitations } from '../../features/teams/invitations.tsx'
import { Members } from '../../features/teams/members.tsx'
import { PolicySettings } from '../../features/teams/policy.tsx'
import { TeamTimeToLive } from '../../features/artifacts/time-to-live.tsx'
import { PrivacySettings } from '../../features/teams/privacy.tsx'
import { teamQuery } from '../../features/teams/queries.ts'
import { ServiceAccounts } from '../../features/teams/service-accounts.tsx'
import { WhoMayDoWhat, WhyVisible } from '../../features/teams/who-may.tsx'
import { isNotFound } from '../../lib/client.ts'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { Page } from '../../ui/layout.tsx'
import { tabClass, TabRow } from '../../ui/tabs.tsx'
import { NotFound } from '../page-states.tsx'

const route = getRouteApi('/inside/teams/$team')

const tabs = [
  [undefined, 'Members'],
  ['policy', 'Policy'],
  ['privacy', 'Privacy'],
  ['who', 'Who may do what'],
  ['activity', 'Activity'],
] as const

/** Members, invitations, service accounts, and who may do what. Each tab is an address. */
export function TeamSettingsPage() {
  const { team: slug } = route.useParams()
  const { part: tab } = route.useSearch()
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
      title={team.data.name || slug}
      wide={tab === 'who'}
      actions={
        <>
          <ExportLink team={team.data} />
          <Link
            to="/teams/$team/alerts"
            params={{ team: slug }}
            className="text-[13px] text-accent hover:underline"
          >
            Alerts
          </Link>
          <Link
            to="/teams/$team/usage"
            params={{ team: slug }}
            className="text-[13px] text-accent hover:underline"
          >
            Usage
          </Link>
          <Link to="/$team" params={{ team: slug }} className="text-[13px] text-accent hover:underline">
            Projects of {slug}
          </Link>
        </>
      }
    >
      <TabRow label="Settings of the team">
        {tabs.map(([name, title]) => (
          <Link
            key={title}
            to="/teams/$team"
            params={{ team: slug }}
            search={name === undefined ? {} : { part: name }}
            className={tabClass}
            data-open={tab === name || undefined}
            aria-current={tab === name ? 'page' : undefined}
          >
            {title}
          </Link>
        ))}
      </TabRow>
      {tab === undefined && <MembersTab team={team.data} />}
      {tab === 'policy' && <PolicySettings team={team.data} />}
      {tab === 'privacy' && (
        <>
          <PrivacySettings team={team.data} />
          <TeamTimeToLive team={team.data} />
          <WhyVisible team={team.data} />
        </>
      )}
      {tab === 'who' && <WhoMayDoWhat team={team.data} />}
      {tab === 'activity' && <ActivityLog team={team.data} />}
    </Page>
  )
}

function MembersTab({ team }: { team: Team }) {
  return (
    <>
      <Members team={team} />
      {team.kind === 'team' && (
        <>
          <Invitations team={team} />
          <ServiceAccounts team={team} showKey={(secret) => <FreshKey secret={secret} />} />
          <FormerMembers team={team} />
        </>
      )}
    </>
  )
}
