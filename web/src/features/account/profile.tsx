import { useMutation, useQueryClient } from '@tanstack/react-query'
import { grid } from '../../lib/client.ts'
import { changePassword } from '../../lib/identity.ts'
import { meQuery, useMe } from '../../lib/me.ts'
import { chooseTheme, useThemeChoice } from '../../lib/theme.ts'
import { fieldOf, useSubmit } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { Field, Input, Select } from '../../ui/field.tsx'
import { Section } from '../../ui/layout.tsx'
import { Segmented } from '../../ui/tabs.tsx'
import { tell, tellError } from '../../ui/toast.tsx'
import { FormError } from './door.tsx'

/** Name and the team that gets work which names none. */
export function Profile() {
  const me = useMe()
  const queries = useQueryClient()
  const change = useMutation({
    mutationFn: (input: { name: string; defaultTeam: string }) => grid.me.change(input),
    onSuccess: (next) => {
      queries.setQueryData(meQuery().queryKey, next)
      tell('Saved')
    },
    onError: tellError,
  })
  if (me === undefined) return null
  const places = me.teams.filter((team) => team.role !== 'viewer' && team.role !== null)
  return (
    <Section title="Profile">
      <form
        className="grid gap-4 sm:grid-cols-2"
        onSubmit={(event) => {
          event.preventDefault()
          const form = new FormData(event.currentTarget)
          change.mutate({ name: fieldOf(form, 'name'), defaultTeam: fieldOf(form, 'defaultTeam') })
        }}
      >
        <Field label="Name">
          {(props) => <Input {...props} name="name" required maxLength={200} defaultValue={me.user.name} />}
        </Field>
        <Field label="Username" help="In commands and addresses; it stays.">
          {(props) => <Input {...props} readOnly value={me.user.username} className="bg-sunken" />}
        </Field>
        <Field label="E-mail">
          {(props) => <Input {...props} readOnly value={me.user.email ?? ''} className="bg-sunken" />}
        </Field>
        <Field label="Default team" help="Where work goes when a script names no entity.">
          {(props) => (
            <Select {...props} name="defaultTeam" defaultValue={me.defaultTeam}>
              {places.map((team) => (
                <option key={team.id} value={team.slug}>
                  {team.slug}
                  {team.kind === 'personal' ? ' (personal)' : ''}
                </option>
              ))}
            </Select>
          )}
        </Field>
        <div className="sm:col-span-2">
          <Button type="submit" look="primary" busy={change.isPending}>
            Save
          </Button>
        </div>
      </form>
    </Section>
  )
}

export function Appearance() {
  const choice = useThemeChoice()
  return (
    <Section title="Appearance">
      <Segmented
        label="Theme"
        value={choice}
        onChange={chooseTheme}
        choices={[
          { value: 'system', label: 'As the system' },
          { value: 'light', label: 'Light' },
          { value: 'dark', label: 'Dark' },
        ]}
      />
    </Section>
  )
}

export function Password() {
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    await changePassword(fieldOf(form, 'current'), fieldOf(form, 'next'))
    tell('Password changed', 'Other browsers were signed out.')
  })
  return (
    <Section title="Password">
      <form onSubmit={onSubmit} className="grid gap-4 sm:grid-cols-2">
        <Field label="Current password">
          {(props) => (
            <Input {...props} name="current" type="password" autoComplete="current-password" required />
          )}
        </Field>
        <Field label="New password" help="At least 8 characters.">
          {(props) => (
            <Input
              {...props}
              name="next"
              type="password"
              autoComplete="new-password"
              required
              minLength={8}
              maxLength={128}
            />
          )}
        </Field>
        <div className="flex flex-col items-start gap-3 sm:col-span-2">
          <FormError error={error} />
          <Button type="submit" busy={busy}>
            Change password
          </Button>
        </div>
      </form>
    </Section>
  )
}
