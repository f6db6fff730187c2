import { useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate, useRouter } from '@tanstack/react-router'
import { Door } from '../../features/account/door.tsx'
import { SignInForm } from '../../features/account/sign-in-form.tsx'
import { SignUpForm } from '../../features/account/sign-up-form.tsx'
import { api } from '../../lib/client.ts'
import { EmptyState } from '../../ui/feedback.tsx'

const route = getRouteApi('/login')

/** Where to go once signed in: back to where one was sent away from. */
export function useEnter(next: string | undefined): () => Promise<void> {
  const queries = useQueryClient()
  const router = useRouter()
  const navigate = useNavigate()
  return async () => {
    queries.clear()
    await router.invalidate()
    if (next === undefined) await navigate({ to: '/' })
    else router.history.push(next)
  }
}

const firstAdmin =
  'This server has no admin yet: its first one opens the one-time link that the server printed when it started. Who was given an account signs in here.'

export function LoginPage() {
  const { signup, next } = route.useSearch()
  const about = useQuery(api.instance.about.queryOptions())
  const enter = useEnter(next)
  const noAdmin = about.data?.setupNeeded === true
  if (signup === true) {
    const open = about.data?.signUpOpen ?? true
    return (
      <Door
        title="Create an account"
        {...(open
          ? {}
          : {
              says: 'This server takes new people by invitation only. Ask a team admin for an invitation link.',
            })}
        foot={
          <>
            Have an account?{' '}
            <Link
              to="/login"
              search={next === undefined ? {} : { next }}
              className="text-accent hover:underline"
            >
              Sign in
            </Link>
          </>
        }
      >
        {open ? <SignUpForm onDone={enter} /> : null}
      </Door>
    )
  }
  return (
    <Door
      title={noAdmin ? 'Welcome to Teamgrid' : 'Sign in'}
      {...(about.data === undefined ? {} : { says: noAdmin ? firstAdmin : about.data.organisation })}
      foot={
        about.data?.signUpOpen === true ? (
          <>
            New here?{' '}
            <Link
              to="/login"
              search={{ signup: true, ...(next === undefined ? {} : { next }) }}
              className="text-accent hover:underline"
            >
              Create an account
            </Link>
          </>
        ) : (
          'Forgot your password, or no account yet? An organisation admin makes a reset link, a team admin an invitation.'
        )
      }
    >
      {about.isError ? (
        <EmptyState title="The server does not answer" says="Try again in a moment." />
      ) : (
        <SignInForm onDone={enter} />
      )}
    </Door>
  )
}
