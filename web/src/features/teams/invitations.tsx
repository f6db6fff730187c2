import type { Invitation, NewInvitation, Team } from '@teamgrid/api'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { useMe, useRefusal } from '../../lib/me.ts'
import { fieldOf, useSubmit } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { CommandBlock } from '../../ui/command-block.tsx'
import { Tag } from '../../ui/feedback.tsx'
import { Field, Input, Select } from '../../ui/field.tsx'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'
import { tell, tellError } from '../../ui/toast.tsx'
import { roleSays, roleWords } from './members.tsx'
import { invitationsQuery } from './queries.ts'

/** Invite by a link that one hands over; see and revoke the open ones. */
export function Invitations({ team }: { team: Team }) {
  const queries = useQueryClient()
  const me = useMe()
  const may = useRefusal(team)
  const refused = may('member:invite')
  const revokeRefused = (each: Invitation) =>
    may('invite:revoke', {
      kind: 'invitation',
      ownerId: each.createdBy?.username === me?.user.username ? (me?.user.id ?? null) : null,
    })
  const open = useQuery({ ...invitationsQuery(team.slug), enabled: refused === undefined })
  const [role, setRole] = useState<'admin' | 'member' | 'viewer'>('member')
  const [made, setMade] = useState<NewInvitation>()
  const again = () => queries.invalidateQueries({ queryKey: api.teams.invitations.key() })
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    const whom = fieldOf(form, 'whom').trim()
    setMade(
      await grid.teams.invite({
        team: team.slug,
        role,
        ...(whom === '' ? {} : whom.includes('@') ? { email: whom } : { username: whom }),
      }),
    )
    await again()
  })
  const pending = open.data?.filter((each) => each.state === 'pending' || each.state === 'expired') ?? []
  const act = (deed: Promise<unknown>) => {
    deed.catch(tellError).finally(() => void again())
  }
  return (
    <Section title="Invite" says="With or without an account; a link works once, for a week." flush>
      <form id="invite" onSubmit={onSubmit} className="flex flex-wrap items-end gap-3 p-4">
        <Field label="Role">
          {(props) => (
            <Select {...props} value={role} onChange={(event) => setRole(event.target.value as typeof role)}>
              {(['member', 'viewer', 'admin'] as const).map((each) => (
                <option key={each} value={each}>
                  {roleWords[each]}
                </option>
              ))}
            </Select>
          )}
        </Field>
        <div className="min-w-52 flex-1">
          <Field label="E-mail or username (optional)">
            {(props) => (
              <Input
                {...props}
                name="whom"
                maxLength={254}
                autoCapitalize="none"
                spellCheck={false}
                placeholder="whoever gets the link"
                className="w-full"
              />
            )}
          </Field>
        </div>
        <Button type="submit" look="primary" busy={busy} refused={refused} className="h-9">
          Invite
        </Button>
        <p className="basis-full text-[13px] text-ink-faint">{roleSays[role]}.</p>
        {error !== undefined && (
          <p role="alert" className="basis-full text-[13px] text-bad">
            {error.message}
          </p>
        )}
        {made !== undefined && (
          <div role="status" className="flex basis-full flex-col gap-1.5">
            <p className="text-[13px]">{made.mail.says}</p>
            <CommandBlock title="The link; it is shown only now" text={made.url} />
          </div>
        )}
      </form>
      {pending.length > 0 && (
        <div className="border-t border-line">
          <PlainTable stacks label="Open invitations" head={['For', 'Role', 'Made', 'Expires', '']}>
            {pending.map((each) => (
              <tr key={each.id}>
                <td>
                  {each.person?.username ?? each.email ?? (
                    <span className="text-ink-faint">whoever has the link</span>
                  )}
                </td>
                <td>
                  <Tag>{roleWords[each.role]}</Tag>
                </td>
                <td className="whitespace-nowrap text-ink-soft">
                  <Ago at={each.createdAt} /> {each.createdBy !== null && `by ${each.createdBy.username}`}
                </td>
                <td className="whitespace-nowrap text-ink-soft">
                  {each.state === 'expired' ? <Tag tone="warn">expired</Tag> : each.expiresAt.slice(0, 10)}
                </td>
                <td>
                  <div className="flex justify-end gap-2">
                    <Button
                      small
                      refused={refused}
                      onClick={() =>
                        act(
                          grid.teams
                            .resendInvitation({ team: team.slug, invitationId: each.id })
                            .then(setMade),
                        )
                      }
                    >
                      {each.sentAt === null ? 'New link' : 'Send again'}
                    </Button>
                    <Button
                      small
                      look="danger"
                      refused={revokeRefused(each)}
                      onClick={() =>
                        act(
                          grid.teams
                            .revokeInvitation({ team: team.slug, invitationId: each.id })
                            .then(() => tell('The link does not work any more')),
                        )
                      }
                    >
                      Revoke
                    </Button>
                  </div>
                </td>
              </tr>
            ))}
          </PlainTable>
        </div>
      )}
    </Section>
  )
}
