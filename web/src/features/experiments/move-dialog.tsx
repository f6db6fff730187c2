import type { Experiment, ExperimentQuery, Team } from '@teamgrid/api'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { plural } from '../../lib/format.ts'
import { useMe, useRefusal } from '../../lib/me.ts'
import { useSubmit } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Checkbox, Field, Input, Select } from '../../ui/field.tsx'

/**
 * Where to? My own team and those I work in. All of them move, or none; with `all`, everything that matches the table's
 * search and filters, also what is not on this page.
 */
export function MoveDialog({
  open,
  onClose,
  from,
  team,
  experiments,
  all,
  onMoved,
}: {
  open: boolean
  onClose: () => void
  from: { team: string; project: string }
  team: Team | undefined
  experiments: readonly Experiment[]
  all?: { total: number; query: ExperimentQuery }
  onMoved: () => void
}) {
  const me = useMe()
  const queries = useQueryClient()
  const refusal = useRefusal(team)
  const [to, setTo] = useState({ team: from.team, project: '' })
  const [skipDenied, setSkipDenied] = useState(false)
  const [moved, setMoved] = useState<Awaited<ReturnType<typeof grid.experiments.move>>>()
  const destinations = (me?.teams ?? []).filter((each) => each.role !== 'viewer')
  const projects = useQuery({
    ...api.projects.list.queryOptions({ input: { team: to.team } }),
    enabled: open && to.team !== '',
  })
  const count = all?.total ?? experiments.length
  const refused = experiments
    .map((each) =>
      refusal('experiment:move', {
        kind: 'experiment',
        name: each.name,
        ownerId: each.createdById,
        ownerName: each.createdBy.username,
      }),
    )
    .find((sentence) => sentence !== undefined)
  const isHere = to.team === from.team && to.project.trim().toLowerCase() === from.project.toLowerCase()
  const { busy, error, onSubmit } = useSubmit(async () => {
    const { search, filters } = all?.query ?? {}
    const result = await grid.experiments.move({
      ...(all === undefined
        ? { experimentIds: experiments.map((each) => each.id) }
        : { from: { ...from, ...(search ? { search } : {}), ...(filters ? { filters } : {}) } }),
      to: { team: to.team, project: to.project.trim() },
      ...(skipDenied ? { skipDenied } : {}),
    })
    setMoved(result)
    await queries.invalidateQueries()
  })
  const close = () => {
    onClose()
    if (moved !== undefined) onMoved()
    setMoved(undefined)
  }
  return (
    <Dialog open={open} onClose={close} title={moved ? 'Moved' : `Move ${plural(count, 'experiment')}`}>
      {moved === undefined ? (
        <form onSubmit={onSubmit} className="flex flex-col gap-3">
          <Field label="Team">
            {(props) => (
              <Select
                {...props}
                value={to.team}
                onChange={(event) => setTo({ team: event.target.value, project: '' })}
              >
                {destinations.map((each) => (
                  <option key={each.id} value={each.slug}>
                    {each.slug}
                    {each.kind === 'personal' ? ' (yours alone)' : ''}
                  </option>
                ))}
              </Select>
            )}
          </Field>
          <Field
            label="Project"
            help="Choose one or name a new one."
            error={error?.message ?? (isHere ? 'They are there already.' : undefined)}
          >
            {(props) => (
              <>
                <Input
                  {...props}
                  required
                  maxLength={128}
                  list="move-projects"
                  autoComplete="off"
                  value={to.project}
                  onChange={(event) => setTo({ ...to, project: event.target.value })}
                />
                <datalist id="move-projects">
                  {projects.data?.map((each) => (
                    <option key={each.id} value={each.name} />
                  ))}
                </datalist>
              </>
            )}
          </Field>
          <p className="text-[13px] text-ink-soft">
            Curves, console, files and artifact links go along and the creators stay the same. The old
            addresses lead to the new ones, also for scripts that still log.
            {to.team !== from.team && (
              <>
                {' '}
                Members of <b>{from.team}</b> who are not in <b>{to.team}</b> will no longer see them.
              </>
            )}
          </p>
          {(refused !== undefined || all !== undefined) && (
            <Checkbox
              checked={skipDenied}
              onChange={(event) => setSkipDenied(event.target.checked)}
              label="Leave out what I may not move"
            />
          )}
          <div className="flex justify-end gap-2">
            <Button onClick={close}>Cancel</Button>
            <Button
              type="submit"
              look="primary"
              busy={busy}
              refused={skipDenied ? undefined : refused}
              disabled={to.project.trim() === '' || isHere}
            >
              Move
            </Button>
          </div>
        </form>
      ) : (
        <div className="flex flex-col gap-3">
          <p>
            {plural(moved.moved, 'experiment')} moved to{' '}
            <Link
              to="/$team/$project/table"
              params={{ team: moved.team, project: moved.project }}
              className="font-medium text-accent hover:underline"
            >
              {moved.team}/{moved.project}
            </Link>
            .
            {moved.skipped > 0 && ` ${plural(moved.skipped, 'experiment')} stayed, as you may not move them.`}
          </p>
          {moved.renamed.length > 0 && (
            <div className="text-[13px] text-ink-soft">
              Their address was taken there, so they have a new one:
              <ul className="mt-1 max-h-40 overflow-auto font-mono text-xs">
                {moved.renamed.map((each) => (
                  <li key={each.to}>
                    {each.from} → {each.to}
                  </li>
                ))}
              </ul>
            </div>
          )}
          <Button look="primary" className="self-end" onClick={close}>
            Done
          </Button>
        </div>
      )}
    </Dialog>
  )
}
