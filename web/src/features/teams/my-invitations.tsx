import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { grid } from '../../lib/client.ts'
import { Button } from '../../ui/button.tsx'
import { tell, tellError } from '../../ui/toast.tsx'
import { roleWords } from './members.tsx'
import { myInvitationsQuery } from './queries.ts'

/** Invitations that wait for me: quiet lines with the two things to do. Nothing when there are none. */
export function MyInvitations() {
  const queries = useQueryClient()
  const open = useQuery(myInvitationsQuery())
  const answer = useMutation({
    mutationFn: async ({ id, yes }: { id: string; yes: boolean }) => {
      if (yes) await grid.me.acceptInvitation({ invitationId: id })
      else await grid.me.declineInvitation({ invitationId: id })
    },
    onSuccess: (_, { yes }) => tell(yes ? 'You are in' : 'Turned down'),
    onError: tellError,
    onSettled: () => queries.invalidateQueries(),
  })
  if (open.data === undefined || open.data.length === 0) return null
  return (
    <ul aria-label="Invitations" className="flex flex-col gap-2">
      {open.data.map((each) => (
        <li
          key={each.id}
          className="flex flex-wrap items-center gap-3 rounded-lg border border-accent/40 bg-accent-wash px-4 py-2.5"
        >
          <span className="min-w-48 flex-1">
            {each.invitedBy === null ? 'You are invited' : `${each.invitedBy.username} invites you`} to{' '}
            <b>{each.teamName || each.team}</b>{' '}
            <span className="text-ink-soft">({roleWords[each.role].toLowerCase()})</span>
          </span>
          <Button
            small
            look="primary"
            busy={answer.isPending}
            onClick={() => answer.mutate({ id: each.id, yes: true })}
          >
            Join
          </Button>
          <Button small busy={answer.isPending} onClick={() => answer.mutate({ id: each.id, yes: false })}>
            Decline
          </Button>
        </li>
      ))}
    </ul>
  )
}
