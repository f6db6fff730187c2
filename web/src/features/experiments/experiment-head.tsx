import type { ExperimentDetails, Team } from '@teamgrid/api'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { useRefusal } from '../../lib/me.ts'
import { fieldOf } from '../../lib/use-submit.ts'
import { Button } from '../../ui/button.tsx'
import { Input } from '../../ui/field.tsx'
import { Ago, Elapsed } from '../../ui/time.tsx'
import { tellError } from '../../ui/toast.tsx'
import { Tip } from '../../ui/tooltip.tsx'
import { ExperimentActions } from './actions.tsx'
import { StateBadge } from './state.tsx'

/** Name, state, and what one may do with the experiment. */
export function ExperimentHead({
  experiment,
  team,
  colour,
}: {
  experiment: ExperimentDetails
  team: Team | undefined
  colour: string
}) {
  const navigate = useNavigate()
  return (
    <header className="flex flex-wrap items-center gap-x-3 gap-y-1.5 bg-surface px-4 pt-3 pb-2">
      <span aria-hidden className="size-2.5 shrink-0 rounded-full" style={{ background: colour }} />
      <Name experiment={experiment} team={team} />
      <span className="text-[13px]">
        <StateBadge state={experiment.state} stopRequested={experiment.stopRequested} />
      </span>
      <span className="text-[13px] text-ink-faint">
        {experiment.createdBy.username}
        {experiment.via !== null && ` via ${experiment.via.username}`}, <Ago at={experiment.createdAt} />,{' '}
        <Elapsed
          start={experiment.createdAt}
          end={experiment.endedAt ?? (experiment.state === 'running' ? null : experiment.heartbeatAt)}
        />
      </span>
      <span className="ml-auto flex gap-2">
        <ExperimentActions
          small
          team={team}
          experiments={[experiment]}
          onDeleted={() =>
            void navigate({
              to: '/$team/$project',
              params: { team: experiment.team, project: experiment.project },
            })
          }
        />
      </span>
    </header>
  )
}

function Name({ experiment, team }: { experiment: ExperimentDetails; team: Team | undefined }) {
  const queries = useQueryClient()
  const refused = useRefusal(team)('experiment:edit', {
    kind: 'experiment',
    name: experiment.name,
    ownerId: experiment.createdById,
    ownerName: experiment.createdBy.username,
  })
  const [editing, setEditing] = useState(false)
  const rename = useMutation({
    mutationFn: (name: string) =>
      grid.experiments.change({
        team: experiment.team,
        project: experiment.project,
        experiment: experiment.slug,
        name,
      }),
    onSuccess: () => {
      setEditing(false)
      return queries.invalidateQueries({ queryKey: api.experiments.key() })
    },
    onError: tellError,
  })
  if (!editing) {
    return (
      <h1 className="min-w-0 text-[17px] font-semibold">
        <Tip says={refused ?? 'Rename'} side="bottom">
          <button
            type="button"
            aria-disabled={refused !== undefined}
            className="max-w-full truncate rounded px-0.5 text-left not-aria-disabled:hover:bg-hover"
            onClick={() => refused === undefined && setEditing(true)}
          >
            {experiment.name}
          </button>
        </Tip>
      </h1>
    )
  }
  return (
    <form
      className="flex items-center gap-2"
      onSubmit={(event) => {
        event.preventDefault()
        rename.mutate(fieldOf(new FormData(event.currentTarget), 'name'))
      }}
    >
      <Input
        small
        name="name"
        aria-label="Name"
        required
        maxLength={500}
        defaultValue={experiment.name}
        autoFocus
        className="w-64"
        onKeyDown={(event) => event.key === 'Escape' && setEditing(false)}
      />
      <Button small type="submit" look="primary" busy={rename.isPending}>
        Rename
      </Button>
    </form>
  )
}
