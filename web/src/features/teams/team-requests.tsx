import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { grid } from '../../lib/client.ts'
import { fieldOf, useSubmit } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { Tag } from '../../ui/feedback.tsx'
import { Field, Input, TextArea } from '../../ui/field.tsx'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'
import { tell, tellError } from '../../ui/toast.tsx'
import { teamRequestsQuery } from './queries.ts'

/** Wishes for teams: for organisation admins to grant, for others their own. Nothing when there are none. */
export function TeamRequests({ mayDecide }: { mayDecide: boolean }) {
  const queries = useQueryClient()
  const requests = useQuery(teamRequestsQuery())
  const decide = useMutation({
    mutationFn: async ({ id, grant }: { id: string; grant: boolean }) => {
      if (grant) await grid.organisation.grantTeam({ requestId: id })
      else await grid.organisation.declineTeam({ requestId: id })
    },
    onSuccess: (_, { grant }) => tell(grant ? 'The team is made' : mayDecide ? 'Declined' : 'Taken back'),
    onError: tellError,
    onSettled: () => queries.invalidateQueries(),
  })
  const shown = requests.data?.filter((each) => each.state === 'open' || !mayDecide).slice(0, 20) ?? []
  if (shown.length === 0) return null
  return (
    <Section title="Requests for teams" flush>
      <PlainTable stacks label="Requests for teams" head={['Team', 'By', 'What for', 'Asked', '']}>
        {shown.map((each) => (
          <tr key={each.id}>
            <td className="font-medium">{each.slug}</td>
            <td>{each.requestedBy.username}</td>
            <td className="min-w-40 break-words text-ink-soft">
              {each.reason || '–'}
              {each.note !== '' && <div className="text-ink-faint">Answer: {each.note}</div>}
            </td>
            <td className="whitespace-nowrap text-ink-soft">
              <Ago at={each.createdAt} />
            </td>
            <td>
              {each.state === 'open' ? (
                <div className="flex justify-end gap-2">
                  {mayDecide && (
                    <Button
                      small
                      look="primary"
                      busy={decide.isPending}
                      onClick={() => decide.mutate({ id: each.id, grant: true })}
                    >
                      Make team
                    </Button>
                  )}
                  <Button
                    small
                    busy={decide.isPending}
                    onClick={() => decide.mutate({ id: each.id, grant: false })}
                  >
                    {mayDecide ? 'Decline' : 'Take back'}
                  </Button>
                </div>
              ) : (
                <Tag tone={each.state === 'granted' ? 'good' : 'plain'}>{each.state}</Tag>
              )}
            </td>
          </tr>
        ))}
      </PlainTable>
    </Section>
  )
}

/** For those who may not make teams: asks the organisation’s admins for one. */
export function RequestTeam({ onDone }: { onDone: () => void }) {
  const queries = useQueryClient()
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    await grid.organisation.requestTeam({
      slug: fieldOf(form, 'slug').trim(),
      reason: fieldOf(form, 'reason').trim(),
    })
    tell('Asked the organisation’s admins')
    onDone()
    await queries.invalidateQueries({ queryKey: teamRequestsQuery().queryKey })
  })
  return (
    <form onSubmit={onSubmit} className="flex flex-col gap-3">
      <p className="text-ink-soft">
        Teams are made by organisation admins. They see your request and can grant it with a click; you become
        the team’s admin and invite the others.
      </p>
      <Field
        label="Short name"
        help="In addresses and scripts: wandb.init(entity=…). It stays."
        error={error?.message}
      >
        {(props) => (
          <Input
            {...props}
            name="slug"
            required
            maxLength={64}
            autoFocus
            autoCapitalize="none"
            spellCheck={false}
          />
        )}
      </Field>
      <Field label="What for (optional)">
        {(props) => <TextArea {...props} name="reason" rows={2} maxLength={2000} />}
      </Field>
      <Button type="submit" look="primary" busy={busy} className="self-end">
        Ask for the team
      </Button>
    </form>
  )
}
