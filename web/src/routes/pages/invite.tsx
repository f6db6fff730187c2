import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { Door, FormError } from '../../features/account/door.tsx'
import { SignUpForm } from '../../features/account/sign-up-form.tsx'
import { api, grid } from '../../lib/client.ts'
import { signOut } from '../../lib/identity.ts'
import { meQuery } from '../../lib/me.ts'
import { Button } from '../../ui/button.tsx'
import { SkeletonRows } from '../../ui/feedback.tsx'
import { tellError } from '../../ui/toast.tsx'

const route = getRouteApi('/invite/$token')
const roleWords = {
  admin: 'as an admin',
  member: 'as a member',
  viewer: 'as a viewer',
  service: 'as a service account',
}

/** Joins a team: with the account one is signed in with, or with a new one. */
export function InvitePage() {
  const { token } = route.useParams()
  const queries = useQueryClient()
  const navigate = useNavigate()
  const invitation = useQuery(api.invitations.get.queryOptions({ input: { token }, retry: false }))
  const me = useQuery({ ...meQuery(), retry: false })
  const enter = async () => {
    queries.clear()
    await navigate({ to: '/$team', params: { team: invitation.data!.team } })
  }
  const accept = useMutation({ mutationFn: () => grid.invitations.accept({ token }), onSuccess: enter })
  const leave = useMutation({
    mutationFn: () => signOut(),
    onSuccess: () => queries.clear(),
    onError: tellError,
    onSettled: () => navigate({ to: '/invite/$token', params: { token }, replace: true }),
  })
  if (invitation.isPending || me.isPending) return <SkeletonRows className="mx-auto max-w-sm py-20" />
  if (invitation.isError) {
    return (
      <Door
        title="This invitation does not work"
        says="It was used, revoked, or has expired. Ask for a new link."
      >
        <Link to="/" className="text-accent hover:underline">
          Go to my teams
        </Link>
      </Door>
    )
  }
  const { data } = invitation
  const says = `${data.invitedBy === null ? 'You are invited' : `${data.invitedBy.name || data.invitedBy.username} invites you`} to work in ${data.team} ${roleWords[data.role]}.`
  if (me.data !== undefined && data.fits === false) {
    return (
      <Door
        title={`Join ${data.teamName}`}
        says={`${says} The invitation is for ${data.username ?? data.email}.`}
        foot={<>Signed in as {me.data.user.username}.</>}
      >
        <div className="flex flex-col gap-3">
          <p className="text-ink-soft">
            You are signed in as <b>{me.data.user.username}</b>, so you cannot accept it. Sign out and this
            page lets {data.username ?? data.email} sign in
            {data.username === null ? ' or make an account' : ''}.
          </p>
          <Button look="primary" className="h-9" busy={leave.isPending} onClick={() => leave.mutate()}>
            Sign out and go on
          </Button>
          <Link to="/" className="text-center text-[13px] text-accent hover:underline">
            Stay signed in
          </Link>
        </div>
      </Door>
    )
  }
  if (me.data !== undefined) {
    return (
      <Door title={`Join ${data.teamName}`} says={says} foot={<>Signed in as {me.data.user.username}.</>}>
        <div className="flex flex-col gap-3">
          <FormError error={accept.error ?? undefined} />
          <Button look="primary" className="h-9" busy={accept.isPending} onClick={() => accept.mutate()}>
            Join {data.team}
          </Button>
        </div>
      </Door>
    )
  }
  return (
    <Door
      title={`Join ${data.teamName}`}
      says={says}
      foot={
        <>
          Have an account?{' '}
          <Link to="/login" search={{ next: `/invite/${token}` }} className="text-accent hover:underline">
            Sign in
          </Link>
        </>
      }
    >
      {data.username === null ? (
        <SignUpForm invitation={token} email={data.email ?? undefined} onDone={enter} />
      ) : (
        <p className="text-ink-soft">
          It is for <b>{data.username}</b>, who has an account here: sign in with it.
        </p>
      )}
    </Door>
  )
}
