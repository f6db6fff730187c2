import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { AuditLog } from '../../features/audit/audit-log.tsx'
import { teamQuery } from '../../features/teams/queries.ts'
import { isNotFound } from '../../lib/client.ts'
import { useMe, useRefusal } from '../../lib/me.ts'
import { EmptyState, Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { Page } from '../../ui/layout.tsx'
import { NotFound } from '../page-states.tsx'

const teamRoute = getRouteApi('/inside/teams/$team/audit')
const organisationRoute = getRouteApi('/inside/admin/audit')

/** The audit log of a team: all of it for admins, one's own acts for members. */
export function TeamAuditPage() {
  const { team: slug } = teamRoute.useParams()
  const search = teamRoute.useSearch()
  const navigate = teamRoute.useNavigate()
  const me = useMe()
  const team = useQuery(teamQuery(slug))
  const refusal = useRefusal(team.data)
  if (team.isError) return isNotFound(team.error) ? <NotFound /> : <Problem error={team.error} />
  if (team.data === undefined) return <SkeletonRows className="mx-auto max-w-7xl py-8" />
  const refused = refusal('audit:read', me === undefined ? {} : { ownerId: me.user.id })
  if (refused !== undefined) return <EmptyState title="Not for your role" says={refused} />
  return (
    <Page
      title={`${team.data.name || slug}: who did what`}
      wide
      actions={
        <Link to="/teams/$team" params={{ team: slug }} className="text-[13px] text-accent hover:underline">
          Members and settings
        </Link>
      }
    >
      <AuditLog
        team={slug}
        mayVerify={refusal('audit:read') === undefined}
        search={search}
        onSearch={(next) => void navigate({ search: next, replace: true })}
      />
    </Page>
  )
}

/** The audit log of everything, for the organisation's admins. */
export function OrganisationAuditPage() {
  const search = organisationRoute.useSearch()
  const navigate = organisationRoute.useNavigate()
  const me = useMe()
  if (me?.user.organisationRole !== 'admin') {
    return (
      <EmptyState
        title="For organisation admins"
        says="The log of a team is on its settings page; an organisation admin sees all of them."
      />
    )
  }
  return (
    <Page
      title="Organisation: who did what"
      wide
      actions={
        <Link to="/admin" className="text-[13px] text-accent hover:underline">
          Organisation
        </Link>
      }
    >
      <AuditLog
        mayVerify
        search={search}
        onSearch={(next) => void navigate({ search: next, replace: true })}
      />
    </Page>
  )
}
