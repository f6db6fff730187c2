import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { Door } from '../../features/account/door.tsx'
import { SignUpForm } from '../../features/account/sign-up-form.tsx'
import { api } from '../../lib/client.ts'
import { SkeletonRows } from '../../ui/feedback.tsx'
import { useEnter } from './login.tsx'

const route = getRouteApi('/signup')

/** The first admin comes with a one-time token, a new member with an invitation, and where sign-up is open anybody may. */
export function SignupPage() {
  const { token, invitation, next } = route.useSearch()
  const about = useQuery(api.instance.about.queryOptions())
  const enter = useEnter(next)
  const signIn = (
    <Link to="/login" className="text-accent hover:underline">
      Sign in instead
    </Link>
  )
  if (about.data === undefined) return <SkeletonRows className="mx-auto max-w-sm py-20" />
  if (about.data.setupNeeded) {
    return (
      <Door
        title="Set up this server"
        says="You become the organisation’s first admin and can then invite your team."
      >
        {token === undefined ? (
          <p className="text-ink-soft">
            Open the one-time link that the server printed when it started; it carries the token that is
            missing here.
          </p>
        ) : (
          <SignUpForm setupToken={token} onDone={enter} />
        )}
      </Door>
    )
  }
  if (token !== undefined || (invitation === undefined && !about.data.signUpOpen)) {
    return (
      <Door
        title={token === undefined ? 'By invitation only' : 'This link was used'}
        says={
          token === undefined
            ? 'Ask a team admin for an invitation link.'
            : 'This server has its first admin already.'
        }
      >
        {signIn}
      </Door>
    )
  }
  return (
    <Door title="Create an account" foot={signIn}>
      <SignUpForm invitation={invitation} onDone={enter} />
    </Door>
  )
}
