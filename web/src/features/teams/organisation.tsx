import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { fieldOf, useSubmit } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Problem, SkeletonRows, Tag } from '../../ui/feedback.tsx'
import { Checkbox, Field, Input } from '../../ui/field.tsx'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'
import { tell, tellError } from '../../ui/toast.tsx'

/** The organisation's name and whether strangers may sign up. */
export function OrganisationSettings() {
  const queries = useQueryClient()
  const about = useQuery(api.instance.about.queryOptions())
  const change = useMutation({
    mutationFn: (input: { organisation?: string; signUpOpen?: boolean }) => grid.instance.change(input),
    onSuccess: async () => {
      tell('Saved')
      await queries.invalidateQueries({ queryKey: api.instance.key() })
    },
    onError: tellError,
  })
  if (about.data === undefined) return <SkeletonRows rows={2} />
  return (
    <Section title="Organisation" says={`Teamgrid ${about.data.version}`}>
      <form
        className="flex flex-wrap items-end gap-3"
        onSubmit={(event) => {
          event.preventDefault()
          change.mutate({ organisation: fieldOf(new FormData(event.currentTarget), 'organisation').trim() })
        }}
      >
        <Field label="Name">
          {(props) => (
            <Input
              {...props}
              name="organisation"
              required
              maxLength={200}
              defaultValue={about.data.organisation}
              className="w-72"
            />
          )}
        </Field>
        <Button type="submit" busy={change.isPending} className="h-9">
          Save
        </Button>
        <Checkbox
          className="basis-full"
          checked={about.data.signUpOpen}
          onChange={(event) => change.mutate({ signUpOpen: event.target.checked })}
          label="Anybody who can reach this server may create an account; otherwise by invitation only"
        />
      </form>
    </Section>
  )
}

/** All teams, and the way to make one. */
export function AllTeams() {
  const queries = useQueryClient()
  const navigate = useNavigate()
  const teams = useQuery(api.teams.list.queryOptions({ meta: { live: { on: ['team.changed'] } } }))
  const [making, setMaking] = useState(false)
  const { busy, error, onSubmit } = useSubmit(async (form) => {
    const name = fieldOf(form, 'name').trim()
    const made = await grid.teams.create({
      slug: fieldOf(form, 'slug').trim(),
      ...(name === '' ? {} : { name }),
    })
    await queries.invalidateQueries()
    await navigate({ to: '/teams/$team', params: { team: made.slug } })
  })
  const shared = teams.data?.filter((team) => team.kind === 'team') ?? []
  return (
    <Section
      title="Teams"
      flush
      actions={
        <Button small look="primary" onClick={() => setMaking(true)}>
          New team
        </Button>
      }
    >
      {teams.isPending && <SkeletonRows rows={2} />}
      {teams.isError && <Problem error={teams.error} retry={() => void teams.refetch()} />}
      {teams.data !== undefined && shared.length === 0 && (
        <p className="px-4 py-3 text-ink-faint">No teams yet.</p>
      )}
      {shared.length > 0 && (
        <PlainTable stacks label="Teams" head={['Team', 'Members', 'Projects', 'Running', 'Policy', 'Made']}>
          {shared.map((team) => (
            <tr key={team.id}>
              <td>
                <Link to="/teams/$team" params={{ team: team.slug }} className="font-medium hover:underline">
                  {team.slug}
                </Link>
              </td>
              <td>{team.members}</td>
              <td>{team.projects}</td>
              <td>{team.running}</td>
              <td>
                <Tag>{team.policy.preset}</Tag>
              </td>
              <td className="whitespace-nowrap text-ink-soft">
                <Ago at={team.createdAt} />
              </td>
            </tr>
          ))}
        </PlainTable>
      )}
      <Dialog open={making} onClose={() => setMaking(false)} title="New team">
        <form onSubmit={onSubmit} className="flex flex-col gap-3">
          <Field
            label="Short name"
            help="In addresses and scripts: wandb.init(entity=…). It stays."
            {...(error === undefined ? {} : { error: error.message })}
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
          <Field label="Full name (optional)">
            {(props) => <Input {...props} name="name" maxLength={200} />}
          </Field>
          <Button type="submit" look="primary" busy={busy} className="self-end">
            Make team
          </Button>
        </form>
      </Dialog>
    </Section>
  )
}
