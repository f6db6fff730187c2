import type { Team } from '@teamgrid/api'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { useRefusal } from '../../lib/me.ts'
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
  const refused = useRefusal(team)('member:invite')
  const open = useQuery({ ...invitationsQuery(team.slug), enabled: refused === undefined })
  const [role, setRole] = useState<'admin' | 'member' | 'viewer'>('member')
  const [link, setLink] = useState<string>()
  const again = () => queries.invalidateQueries({ queryKey: api.teams.invitations.key() })
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    const email = fieldOf(form, 'email').trim()
    const made = await grid.teams.invite({ team: team.slug, role, ...(email === '' ? {} : { email }) })
    setLink(made.url)
    await again()
  })
  const pending = open.data?.filter((each) => each.state === 'pending') ?? []
  return (
    <Section title="Invite" says="Make a link and send it; it works once, for a week." flush>
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
          <Field label="Only for this e-mail (optional)">
            {(props) => <Input {...props} name="email" type="email" className="w-full" />}
          </Field>
        </div>
        <Button type="submit" look="primary" busy={busy} refused={refused} className="h-9">
          Make invitation link
        </Button>
        <p className="basis-full text-[13px] text-ink-faint">{roleSays[role]}.</p>
        {error !== undefined && (
          <p role="alert" className="basis-full text-[13px] text-bad">
            {error.message}
          </p>
        )}
        {link !== undefined && (
          <div className="basis-full">
            <CommandBlock title="Send this link; it is shown only now" text={link} />
          </div>
        )}
      </form>
      {pending.length > 0 && (
        <div className="border-t border-line">
          <PlainTable label="Open invitations" head={['For', 'Role', 'Made', 'Expires', '']}>
            {pending.map((each) => (
              <tr key={each.id}>
                <td>{each.email ?? <span className="text-ink-faint">whoever has the link</span>}</td>
                <td>
                  <Tag>{roleWords[each.role]}</Tag>
                </td>
                <td className="whitespace-nowrap text-ink-soft">
                  <Ago at={each.createdAt} /> {each.createdBy !== null && `by ${each.createdBy.username}`}
                </td>
                <td className="whitespace-nowrap text-ink-soft">{each.expiresAt.slice(0, 10)}</td>
                <td className="text-right">
                  <Button
                    small
                    look="danger"
                    refused={refused}
                    onClick={() => {
                      grid.teams
                        .revokeInvitation({ team: team.slug, invitationId: each.id })
                        .then(() => tell('The link does not work any more'))
                        .catch(tellError)
                        .finally(() => void again())
                    }}
                  >
                    Revoke
                  </Button>
                </td>
              </tr>
            ))}
          </PlainTable>
        </div>
      )}
    </Section>
  )
}
