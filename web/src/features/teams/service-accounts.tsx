import type { Member, Team } from '@teamgrid/api'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { useRefusal } from '../../lib/me.ts'
import { fieldOf, useSubmit } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { Confirm, Dialog } from '../../ui/dialog.tsx'
import { Field, Input } from '../../ui/field.tsx'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'
import { tellError } from '../../ui/toast.tsx'
import { membersQuery } from './queries.ts'
import { RemovalList } from './removal.tsx'

/** Accounts for automation. `showKey` draws a fresh key, which the account feature knows how to. */
export function ServiceAccounts({ team, showKey }: { team: Team; showKey: (secret: string) => ReactNode }) {
  const queries = useQueryClient()
  const may = useRefusal(team)
  const members = useQuery(membersQuery(team.slug))
  const [naming, setNaming] = useState(false)
  const [secret, setSecret] = useState<string>()
  const [removing, setRemoving] = useState<Member>()
  const [open, setOpen] = useState<string>()
  const accounts = members.data?.filter((member) => member.kind === 'service') ?? []
  const again = () => queries.invalidateQueries({ queryKey: api.teams.key() })
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    const made = await grid.teams.createServiceAccount({
      team: team.slug,
      username: fieldOf(form, 'username').trim(),
    })
    setNaming(false)
    setSecret(made.key.secret)
    await again()
  })
  const newKey = (account: Member) => {
    grid.teams
      .createServiceKey({ team: team.slug, username: account.username })
      .then((key) => setSecret(key.secret))
      .catch(tellError)
      .finally(() => void again())
  }
  return (
    <Section
      title="Service accounts"
      says="For automation; set WANDB_USERNAME to name the member it works for."
      flush
      actions={
        <Button small refused={may('service:create')} onClick={() => setNaming(true)}>
          New service account
        </Button>
      }
    >
      {accounts.length === 0 ? (
        <p className="px-4 py-3 text-[13px] text-ink-faint">None yet.</p>
      ) : (
        <PlainTable stacks label="Service accounts" head={['Account', 'Made', '']}>
          {accounts.map((account) => (
            <tr key={account.userId}>
              <td>
                <span className="font-medium">{account.username}</span>
                {open === account.username && (
                  <ServiceKeys team={team.slug} username={account.username} onSecret={setSecret} />
                )}
              </td>
              <td className="align-top text-ink-soft">
                <Ago at={account.joinedAt} />
              </td>
              <td className="align-top">
                <div className="flex justify-end gap-2">
                  <Button
                    small
                    aria-expanded={open === account.username}
                    refused={may('service:create')}
                    onClick={() => setOpen(open === account.username ? undefined : account.username)}
                  >
                    Keys
                  </Button>
                  <Button small refused={may('service:create')} onClick={() => newKey(account)}>
                    New key
                  </Button>
                  <Button
                    small
                    look="danger"
                    refused={may('service:revoke')}
                    onClick={() => setRemoving(account)}
                  >
                    Remove
                  </Button>
                </div>
              </td>
            </tr>
          ))}
        </PlainTable>
      )}
      <Dialog open={naming} onClose={() => setNaming(false)} title="New service account">
        <form onSubmit={onSubmit} className="flex flex-col gap-3">
          <Field label="Username" {...(error === undefined ? {} : { error: error.message })}>
            {(props) => (
              <Input
                {...props}
                name="username"
                required
                maxLength={64}
                placeholder={`${team.slug}-ci`}
                autoFocus
              />
            )}
          </Field>
          <Button type="submit" look="primary" busy={busy} className="self-end">
            Make account and key
          </Button>
        </form>
      </Dialog>
      <Dialog
        open={secret !== undefined}
        onClose={() => setSecret(undefined)}
        title="API key of the service account"
      >
        {secret !== undefined && showKey(secret)}
      </Dialog>
      <Confirm
        open={removing !== undefined}
        onClose={() => setRemoving(undefined)}
        title={`Remove ${removing?.username}?`}
        says={removing !== undefined && <RemovalList team={team} member={removing} />}
        verb="Remove"
        act={async () => {
          await grid.teams.removeMember({ team: team.slug, username: removing!.username })
          await again()
        }}
      />
    </Section>
  )
}

function ServiceKeys({
  team,
  username,
  onSecret,
}: {
  team: string
  username: string
  onSecret: (secret: string) => void
}) {
  const queries = useQueryClient()
  const keys = useQuery(api.teams.serviceKeys.queryOptions({ input: { team, username } }))
  const revoke = (keyId: string) => {
    grid.teams
      .revokeServiceKey({ team, username, keyId })
      .catch(tellError)
      .finally(() => void queries.invalidateQueries({ queryKey: api.teams.serviceKeys.key() }))
  }
  const rotate = (keyId: string) => {
    grid.teams
      .rotateServiceKey({ team, username, keyId })
      .then((key) => onSecret(key.secret))
      .catch(tellError)
      .finally(() => void queries.invalidateQueries({ queryKey: api.teams.serviceKeys.key() }))
  }
  return (
    <ul className="mt-2 flex flex-col gap-1">
      {keys.data?.map((key) => (
        <li key={key.id} className="flex items-center gap-2 text-ink-soft">
          <span>{key.name}</span>
          <span className="font-mono">…{key.hint}</span>
          <span className="text-ink-faint">
            {key.lastUsedAt === null ? (
              'never used'
            ) : (
              <>
                used <Ago at={key.lastUsedAt} />
              </>
            )}
          </span>
          <Button small onClick={() => rotate(key.id)}>
            Rotate
          </Button>
          <Button small look="danger" onClick={() => revoke(key.id)}>
            Revoke
          </Button>
        </li>
      ))}
    </ul>
  )
}
