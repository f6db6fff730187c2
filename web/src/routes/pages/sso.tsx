import { Link } from '@tanstack/react-router'
import { SingleSignOn } from '../../features/teams/sso.tsx'
import { useMe } from '../../lib/me.ts'
import { EmptyState } from '../../ui/feedback.tsx'
import { Page } from '../../ui/layout.tsx'

/** Single sign-on of the organisation. */
export function SsoPage() {
  const me = useMe()
  if (me?.user.organisationRole !== 'admin') {
    return (
      <EmptyState
        title="For organisation admins"
        says="Only they say how people of this organisation sign in."
      />
    )
  }
  return (
    <Page
      title="Single sign-on"
      actions={
        <Link to="/admin" className="text-[13px] text-accent hover:underline">
          Organisation
        </Link>
      }
    >
      <SingleSignOn />
    </Page>
  )
}
