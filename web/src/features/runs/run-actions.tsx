import type { RunDetails, Team } from '@teamgrid/api'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { plural } from '../../lib/format.ts'
import { useRefusal } from '../../lib/me.ts'
import { Button } from '../../ui/button.tsx'
import { Confirm } from '../../ui/dialog.tsx'
import { StopIcon, TrashIcon } from '../../ui/icons.tsx'
import { tell } from '../../ui/toast.tsx'

/** Clone, stop, archive, delete. What may not be done is visible and says why. */
export function RunActions({
  run,
  team,
  onClone,
  onDeleted,
}: {
  run: RunDetails
  team: Team | undefined
  onClone: () => void
  onDeleted: () => void
}) {
  const queries = useQueryClient()
  const refused = useRefusal(team)
  const [asking, setAsking] = useState<'stop' | 'archive' | 'delete'>()
  const about = {
    kind: 'run',
    name: run.name,
    ownerId: run.createdById,
    ownerName: run.createdBy.username,
  }
  const ref = { team: run.team, run: run.name }
  const again = () => queries.invalidateQueries({ queryKey: api.runs.key() })
  const live = run.running + run.queued
  const isArchived = run.archivedAt !== null
  const whose = (
    <>
      <b>{run.name}</b> of <b>{run.createdBy.username}</b>
    </>
  )
  return (
    <>
      <Button refused={refused('run:clone', about)} onClick={onClone}>
        Clone
      </Button>
      <Button
        look="danger"
        refused={refused('run:stop', about) ?? (live === 0 ? 'Nothing of it runs or waits' : undefined)}
        onClick={() => setAsking('stop')}
      >
        <StopIcon /> Stop
      </Button>
      <Button refused={refused('run:archive', about)} onClick={() => setAsking('archive')}>
        {isArchived ? 'Unarchive' : 'Archive'}
      </Button>
      <Button look="danger" refused={refused('run:delete', about)} onClick={() => setAsking('delete')}>
        <TrashIcon /> Delete
      </Button>
      <Confirm
        open={asking === 'stop'}
        onClose={() => setAsking(undefined)}
        title="Stop this run?"
        says={
          <>
            {plural(live, 'experiment')} of {whose} will be asked to stop. What they logged and saved is kept.
          </>
        }
        verb="Stop"
        act={async () => {
          await grid.runs.stop(ref)
          tell(`Stopping ${run.name}`)
          await again()
        }}
      />
      <Confirm
        open={asking === 'archive'}
        onClose={() => setAsking(undefined)}
        title={isArchived ? 'Show this run again?' : 'Archive this run?'}
        says={
          isArchived ? (
            <>{whose} will stand among the runs of the team again.</>
          ) : (
            <>{whose} will no longer stand among the runs of the team. Nothing is lost.</>
          )
        }
        verb={isArchived ? 'Unarchive' : 'Archive'}
        act={async () => {
          await grid.runs.archive({ ...ref, archived: !isArchived })
          tell(isArchived ? `${run.name} is back` : `Archived ${run.name}`)
          await again()
        }}
      />
      <Confirm
        open={asking === 'delete'}
        onClose={() => setAsking(undefined)}
        title="Delete this run?"
        says={
          <>
            {whose} will be gone for the whole team, with {plural(run.experiments, 'experiment')}: their
            curves, logs and files.
          </>
        }
        verb="Delete"
        act={async () => {
          await grid.runs.delete(ref)
          tell(`Deleted ${run.name}`)
          onDeleted()
          await again()
        }}
      />
    </>
  )
}
