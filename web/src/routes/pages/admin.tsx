import { getRouteApi, Link } from '@tanstack/react-router'
import { AllTeams, OrganisationSettings } from '../../features/teams/organisation.tsx'
import { PolicyLocks } from '../../features/teams/locks.tsx'
import { People } from '../../features/teams/people.tsx'
import { TeamRequests } from '../../features/teams/team-requests.tsx'
import { useMe } from '../../lib/me.ts'
import { EmptyState } from '../../ui/feedback.tsx'
import { Page } from '../../ui/layout.tsx'

const route = getRouteApi('/inside/admin')

export function AdminPage() {
  const me = useMe()
  const { q } = route.useSearch()
  const navigate = route.useNavigate()
  if (me?.user.organisationRole !== 'admin') {
    return (
      <EmptyState
        title="For organisation admins"
        says="Your account is a member of the organisation. Ask an organisation admin to make teams or people."
      />
    )
  }
  return (
    <Page
      title="Organisation"
      wide
      actions={
        <>
          <Link to="/admin/sso" className="text-[13px] text-accent hover:underline">
            Single sign-on
          </Link>
          <Link to="/admin/audit" className="text-[13px] text-accent hover:underline">
            Audit log
          </Link>
        </>
      }
    >
      <OrganisationSettings />
      <TeamRequests mayDecide />
      <AllTeams />
      <People
        search={q ?? ''}
        onSearch={(next) => void navigate({ search: next === '' ? {} : { q: next }, replace: true })}
      />
      <PolicyLocks />
    </Page>
  )
}
