import type { Team } from '@teamgrid/api'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { plural } from '../../lib/format.ts'
import { useRefusal } from '../../lib/me.ts'
import { Button } from '../../ui/button.tsx'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { Field, Select } from '../../ui/field.tsx'
import { Section } from '../../ui/layout.tsx'
import { tell } from '../../ui/toast.tsx'

const day = 24 * 3600
const choices = [7, 30, 90, 180, 365, 730]

/** How long the team keeps versions that say nothing themselves, with how many go at once before it is saved. */
export function TeamTimeToLive({ team }: { team: Team }) {
  const queries = useQueryClient()
  const refused = useRefusal(team)('team:settings')
  const input = { team: team.slug }
  const now = useQuery(api.artifacts.teamTimeToLive.queryOptions({ input }))
  const [asked, setAsked] = useState<number | null>()
  const seconds = asked === undefined ? (now.data?.seconds ?? null) : asked
  const isOther = now.data !== undefined && seconds !== now.data.seconds
  const preview = useQuery({
    ...api.artifacts.teamTimeToLive.queryOptions({
      input: { ...input, ...(seconds === null ? {} : { seconds }) },
      staleTime: 0,
    }),
    enabled: isOther && seconds !== null,
  })
  const save = useMutation({
    mutationFn: () => grid.artifacts.setTeamTimeToLive({ ...input, seconds }),
    onSuccess: async () => {
      setAsked(undefined)
      tell('Saved')
      await queries.invalidateQueries({ queryKey: api.artifacts.key() })
    },
  })
  const odd = seconds !== null && !choices.includes(seconds / day)
  return (
    <Section
      title="How long artifacts are kept"
      says="Of versions that say nothing themselves; what a registry links to stays"
    >
      {now.isError && <Problem error={now.error} retry={() => void now.refetch()} />}
      {now.isPending && <SkeletonRows rows={2} />}
      {now.data !== undefined && (
        <form
          className="flex flex-col gap-3"
          onSubmit={(event) => {
            event.preventDefault()
            save.mutate()
          }}
        >
          <Field label="A version is deleted" help={refused}>
            {(props) => (
              <Select
                {...props}
                className="max-w-60"
                disabled={refused !== undefined}
                value={seconds ?? ''}
                onChange={(event) => setAsked(event.target.value === '' ? null : Number(event.target.value))}
              >
                <option value="">never by itself</option>
                {choices.map((days) => (
                  <option key={days} value={days * day}>
                    {days} days after it was made
                  </option>
                ))}
                {odd && <option value={seconds}>{Math.round(seconds / 3600)} hours after it was made</option>}
              </Select>
            )}
          </Field>
          {isOther && seconds !== null && preview.data !== undefined && (
            <p className={preview.data.overNow > 0 ? 'text-bad' : 'text-ink-soft'}>
              {plural(preview.data.inheriting, 'version')} will follow this;{' '}
              {preview.data.overNow === 0
                ? 'none is that old yet.'
                : `${plural(preview.data.overNow, 'version')} will be deleted within a minute.`}
            </p>
          )}
          {save.isError && (
            <p role="alert" className="text-bad">
              {save.error.message}
            </p>
          )}
          {isOther && (
            <div className="flex gap-2">
              <Button type="submit" look="primary" busy={save.isPending}>
                Save
              </Button>
              <Button onClick={() => setAsked(undefined)}>Cancel</Button>
            </div>
          )}
        </form>
      )}
    </Section>
  )
}
