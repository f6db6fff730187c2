import { useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate, useRouter } from '@tanstack/react-router'
import { useState } from 'react'
import { Door } from '../../features/account/door.tsx'
import { FormError } from '../../features/account/door.tsx'
import { ProviderButtons, SignInForm } from '../../features/account/sign-in-form.tsx'
import { SignUpForm } from '../../features/account/sign-up-form.tsx'
import { api } from '../../lib/client.ts'
import { Button } from '../../ui/button.tsx'
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
  const { signup, next, error } = route.useSearch()
  const [wantsPassword, setWantsPassword] = useState(false)
  const [isChallenged, setChallenged] = useState(false)
  const about = useQuery(api.instance.about.queryOptions())
  const enter = useEnter(next)
  const noAdmin = about.data?.setupNeeded === true
  const providers = about.data?.signIn.providers ?? []
  // Halfway in, every other way would only begin again.
  const hasProviders = providers.length > 0 && !isChallenged
  const showsPassword = about.data?.signIn.password !== false || wantsPassword
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
      title={noAdmin ? 'Welcome to Teamgrid' : isChallenged ? 'Second factor' : 'Sign in'}
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
        <div className="flex flex-col gap-4">
          {error !== undefined && !isChallenged && <FormError error={new Error(refusalOf(error))} />}
          {hasProviders && <ProviderButtons providers={providers} next={next ?? '/'} />}
          {hasProviders && showsPassword && (
            <div className="flex items-center gap-3 text-xs text-ink-faint before:h-px before:flex-1 before:bg-line after:h-px after:flex-1 after:bg-line">
              or
            </div>
          )}
          {showsPassword ? (
            <SignInForm onDone={enter} onChallenge={setChallenged} />
          ) : (
            <Button look="ghost" small className="self-center" onClick={() => setWantsPassword(true)}>
              Emergency sign-in with a password
            </Button>
          )}
        </div>
      )}
    </Door>
  )
}

/** Why the way through an identity provider ended here, for the person. */
function refusalOf(code: string): string {
  if (code === 'account_not_linked')
    return 'There is an account with your e-mail address here already. Sign in with its password, then link the two under Settings.'
  if (code === 'access_denied') return 'You did not let the identity provider tell us who you are.'
  // Words in an address may be anybody's: only our own are shown.
  const own: Record<string, string> = {
    email_not_verified:
      'The identity provider has not verified your e-mail address. Verify it there first, then try again.',
    not_invited: 'There is no account for your e-mail address here. Ask a team admin for an invitation.',
  }
  return own[code] ?? 'Signing in did not work. Try again.'
}
