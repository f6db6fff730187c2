import type { User } from '@teamgrid/api'
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { useMe } from '../../lib/me.ts'
import { fieldOf, useSubmit } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { CommandBlock } from '../../ui/command-block.tsx'
import { Confirm, Dialog } from '../../ui/dialog.tsx'
import { Problem, SkeletonRows, Tag } from '../../ui/feedback.tsx'
import { Checkbox, Field, Input, Select } from '../../ui/field.tsx'
import { DotsIcon } from '../../ui/icons.tsx'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { Menu, MenuItem } from '../../ui/menu.tsx'
import { Ago } from '../../ui/time.tsx'
import { tellError } from '../../ui/toast.tsx'

/** Everybody in the organisation. */
export function People({ search, onSearch }: { search: string; onSearch: (search: string) => void }) {
  const me = useMe()
  const queries = useQueryClient()
  const people = useInfiniteQuery(
    api.users.list.infiniteOptions({
      input: (cursor: string | undefined) => ({
        limit: 50,
        ...(search === '' ? {} : { search }),
        ...(cursor === undefined ? {} : { cursor }),
      }),
      initialPageParam: undefined,
      getNextPageParam: (last) => last.nextCursor ?? undefined,
    }),
  )
  const [making, setMaking] = useState(false)
  const [resetLink, setResetLink] = useState<{ username: string; url: string }>()
  const [disabling, setDisabling] = useState<User>()
  const again = () => queries.invalidateQueries({ queryKey: api.users.key() })
  const change = (input: Parameters<typeof grid.users.change>[0]) => {
    grid.users
      .change(input)
      .catch(tellError)
      .finally(() => void again())
  }
  const rows = people.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <Section
      title="People"
      flush
      actions={
        <>
          <Input
            small
            type="search"
            aria-label="Search people"
            placeholder="Search people"
            defaultValue={search}
            onChange={(event) => onSearch(event.target.value)}
            className="w-36"
          />
          <Button small look="primary" onClick={() => setMaking(true)}>
            New person
          </Button>
        </>
      }
    >
      {people.isPending && <SkeletonRows rows={4} />}
      {people.isError && <Problem error={people.error} retry={() => void people.refetch()} />}
      {people.data !== undefined && (
        <PlainTable stacks label="People" head={['Person', 'E-mail', 'In the organisation', 'Since', '']}>
          {rows.map((person) => (
            <tr key={person.id} className={person.disabled ? 'opacity-60' : ''}>
              <td>
                <span className="font-medium">{person.name || person.username}</span>{' '}
                <span className="text-ink-faint">{person.username}</span>{' '}
                {person.kind === 'service' && <Tag>service</Tag>}{' '}
                {person.disabled && <Tag tone="bad">disabled</Tag>}
              </td>
              <td className="text-ink-soft">{person.email}</td>
              <td>
                {person.kind === 'service' || person.id === me?.user.id ? (
                  <Tag>{person.organisationRole}</Tag>
                ) : (
                  <Select
                    small
                    aria-label={`Organisation role of ${person.username}`}
                    value={person.organisationRole}
                    onChange={(event) =>
                      change({
                        username: person.username,
                        organisationRole: event.target.value as User['organisationRole'],
                      })
                    }
                  >
                    <option value="admin">admin</option>
                    <option value="billing">billing</option>
                    <option value="member">member</option>
                  </Select>
                )}
              </td>
              <td className="whitespace-nowrap text-ink-soft">
                <Ago at={person.createdAt} />
              </td>
              <td className="text-right">
                <Menu
                  trigger={
                    <Button small look="ghost" aria-label={`More for ${person.username}`}>
                      <DotsIcon />
                    </Button>
                  }
                >
                  {person.kind === 'person' && (
                    <MenuItem
                      onSelect={() => {
                        grid.users
                          .resetPassword({ username: person.username })
                          .then(({ url }) => setResetLink({ username: person.username, url }))
                          .catch(tellError)
                      }}
                    >
                      Make a password reset link
                    </MenuItem>
                  )}
                  {person.disabled ? (
                    <MenuItem onSelect={() => change({ username: person.username, disabled: false })}>
                      Enable
                    </MenuItem>
                  ) : (
                    <MenuItem
                      danger
                      refused={person.id === me?.user.id ? 'You cannot disable yourself.' : undefined}
                      onSelect={() => setDisabling(person)}
                    >
                      Disable
                    </MenuItem>
                  )}
                </Menu>
              </td>
            </tr>
          ))}
        </PlainTable>
      )}
      {people.hasNextPage && (
        <div className="border-t border-line p-2 text-center">
          <Button small busy={people.isFetchingNextPage} onClick={() => void people.fetchNextPage()}>
            More
          </Button>
        </div>
      )}
      <NewPerson open={making} onClose={() => setMaking(false)} onLink={setResetLink} />
      <Dialog
        open={resetLink !== undefined}
        onClose={() => setResetLink(undefined)}
        title={`Password link for ${resetLink?.username}`}
      >
        {resetLink !== undefined && (
          <div className="flex flex-col gap-2">
            <p className="text-ink-soft">
              Send it to {resetLink.username}. It works once, for a day, and sets a new password.
            </p>
            <CommandBlock text={resetLink.url} />
          </div>
        )}
      </Dialog>
      <Confirm
        open={disabling !== undefined}
        onClose={() => setDisabling(undefined)}
        title={`Disable ${disabling?.username}?`}
        says="They are signed out everywhere and their API keys stop working at once. What they made stays. You can enable them again."
        verb="Disable"
        act={async () => {
          await grid.users.change({ username: disabling!.username, disabled: true })
          await again()
        }}
      />
    </Section>
  )
}

function NewPerson({
  open,
  onClose,
  onLink,
}: {
  open: boolean
  onClose: () => void
  onLink: (link: { username: string; url: string }) => void
}) {
  const queries = useQueryClient()
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    const username = fieldOf(form, 'username').trim()
    await grid.users.create({ username, email: fieldOf(form, 'email').trim(), admin: form.has('admin') })
    const { url } = await grid.users.resetPassword({ username })
    await queries.invalidateQueries({ queryKey: api.users.key() })
    onClose()
    onLink({ username, url })
  })
  return (
    <Dialog open={open} onClose={onClose} title="New person">
      <form onSubmit={onSubmit} className="flex flex-col gap-3">
        <Field label="Username">
          {(props) => (
            <Input {...props} name="username" required maxLength={64} autoFocus autoCapitalize="none" />
          )}
        </Field>
        <Field label="E-mail" {...(error === undefined ? {} : { error: error.message })}>
          {(props) => <Input {...props} name="email" type="email" required />}
        </Field>
        <Checkbox name="admin" label="Organisation admin" />
        <Button type="submit" look="primary" busy={busy} className="self-end">
          Make person and password link
        </Button>
      </form>
    </Dialog>
  )
}
