import { type Sweep, type SweepAction, sweepActionsFrom, type Team } from '@teamgrid/api'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { plural } from '../../lib/format.ts'
import { useRefusal } from '../../lib/me.ts'
import { Button } from '../../ui/button.tsx'
import { Confirm } from '../../ui/dialog.tsx'
import { StopIcon, TrashIcon } from '../../ui/icons.tsx'
import { tell, tellError } from '../../ui/toast.tsx'

const told: Record<SweepAction, string> = {
  pause: 'Paused: what runs goes on',
  resume: 'Resumed: agents are given work again',
  stop: 'Stopped: what runs comes to its end',
  cancel: 'Cancelled: what ran was asked to stop',
}

/** Pause or resume, stop, cancel, delete. What may not be done is visible and says why. */
export function SweepActions({
  sweep,
  team,
  onDeleted,
}: {
  sweep: Sweep
  team: Team | undefined
  onDeleted: () => void
}) {
  const queries = useQueryClient()
  const refused = useRefusal(team)
  const [asking, setAsking] = useState<'stop' | 'cancel' | 'delete'>()
  const [busy, setBusy] = useState<SweepAction>()
  const about = {
    kind: 'sweep',
    name: sweep.name,
    ownerId: sweep.createdById,
    ownerName: sweep.createdBy.username,
  }
  const ref = { team: sweep.team, project: sweep.project, sweep: sweep.slug }
  const refusalOf = (action: SweepAction) =>
    refused('run:stop', about) ??
    (sweepActionsFrom[action].includes(sweep.state) ? undefined : `It is ${sweep.state}`)
  const again = () => queries.invalidateQueries({ queryKey: api.sweeps.key() })
  const steer = async (action: SweepAction) => {
    await grid.sweeps.steer({ ...ref, action })
    tell(told[action])
    await again()
  }
  const now = (action: SweepAction) => {
    setBusy(action)
    steer(action)
      .catch(tellError)
      .finally(() => setBusy(undefined))
  }
  const open = sweep.counts.running + sweep.counts.waiting
  const mayResume = sweepActionsFrom.resume.includes(sweep.state)
  return (
    <>
      {mayResume ? (
        <Button refused={refusalOf('resume')} busy={busy === 'resume'} onClick={() => now('resume')}>
          Resume
        </Button>
      ) : (
        <Button refused={refusalOf('pause')} busy={busy === 'pause'} onClick={() => now('pause')}>
          Pause
        </Button>
      )}
      <Button refused={refusalOf('stop')} onClick={() => setAsking('stop')}>
        Stop
      </Button>
      <Button look="danger" refused={refusalOf('cancel')} onClick={() => setAsking('cancel')}>
        <StopIcon /> Cancel
      </Button>
      <Button look="danger" refused={refused('sweep:delete', about)} onClick={() => setAsking('delete')}>
        <TrashIcon /> Delete
      </Button>
      <Confirm
        open={asking === 'stop'}
        onClose={() => setAsking(undefined)}
        title="Stop this sweep?"
        says={
          <>
            Nothing new will begin in <b>{sweep.name}</b> of <b>{sweep.createdBy.username}</b>.{' '}
            {open > 0 && `${plural(open, 'experiment')} will come to their own end.`} It can be resumed.
          </>
        }
        verb="Stop"
        act={() => steer('stop')}
      />
      <Confirm
        open={asking === 'cancel'}
        onClose={() => setAsking(undefined)}
        title="Cancel this sweep?"
        says={
          <>
            Nothing new will begin in <b>{sweep.name}</b> of <b>{sweep.createdBy.username}</b>, and{' '}
            {plural(open, 'experiment')} will be asked to stop now. What they logged is kept.
          </>
        }
        verb="Cancel the sweep"
        act={() => steer('cancel')}
      />
      <Confirm
        open={asking === 'delete'}
        onClose={() => setAsking(undefined)}
        title="Delete this sweep?"
        says={
          <>
            <b>{sweep.name}</b> of <b>{sweep.createdBy.username}</b> will be gone for the whole team, and its
            agents will end. Its {plural(sweep.counts.total, 'experiment')} stay.
          </>
        }
        verb="Delete"
        act={async () => {
          await grid.sweeps.delete(ref)
          tell(`Deleted sweep ${sweep.name}`)
          onDeleted()
          await again()
        }}
      />
    </>
  )
}
