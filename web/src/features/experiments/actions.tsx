import type { Experiment, Team } from '@teamgrid/api'
import { endedStates } from '@teamgrid/api'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { api, grid } from '../../lib/client.ts'
import { formatBytes, plural } from '../../lib/format.ts'
import { useRefusal } from '../../lib/me.ts'
import { Button } from '../../ui/button.tsx'
import { Confirm } from '../../ui/dialog.tsx'
import { Checkbox } from '../../ui/field.tsx'
import { StopIcon, TrashIcon } from '../../ui/icons.tsx'
import { tell } from '../../ui/toast.tsx'

/** The refusal of an action on some experiments: the first one that applies, as the server would say it. */
function useRefusalOf(team: Team | undefined) {
  const refused = useRefusal(team)
  return (
    action: 'experiment:stop' | 'experiment:delete',
    experiments: readonly Experiment[],
  ): string | undefined =>
    experiments
      .map((each) =>
        refused(action, {
          kind: 'experiment',
          name: each.name,
          ownerId: each.createdById,
          ownerName: each.createdBy.username,
          isMoved: each.moved,
        }),
      )
      .find((sentence) => sentence !== undefined)
}

/** Stop and delete, for one or many. What may not be done is visible and says why. */
export function ExperimentActions({
  team,
  experiments,
  onDeleted,
  small,
  before,
}: {
  team: Team | undefined
  experiments: readonly Experiment[]
  onDeleted?: () => void
  small?: boolean
  before?: ReactNode
}) {
  const queries = useQueryClient()
  const refusalOf = useRefusalOf(team)
  const [asking, setAsking] = useState<'stop' | 'delete'>()
  const [withMade, setWithMade] = useState(false)
  const open = experiments.filter((each) => !endedStates.includes(each.state) && !each.stopRequested)
  const owners = (of: readonly Experiment[]) =>
    [...new Set(of.map((each) => each.createdBy.username))].join(', ')
  const again = () => queries.invalidateQueries({ queryKey: api.experiments.key() })
  const stopRefused =
    refusalOf('experiment:stop', open.length > 0 ? open : experiments) ??
    (open.length === 0
      ? experiments.some((each) => each.stopRequested && !endedStates.includes(each.state))
        ? 'It was asked to stop already'
        : 'It has ended already'
      : undefined)
  const each = async (
    of: readonly Experiment[],
    act: (ref: { team: string; project: string; experiment: string }) => Promise<unknown>,
  ) => {
    for (const one of of) await act({ team: one.team, project: one.project, experiment: one.slug })
  }
  return (
    <>
      {before}
      <Button {...(small ? { small } : {})} refused={stopRefused} onClick={() => setAsking('stop')}>
        <StopIcon /> Stop
      </Button>
      <Button
        {...(small ? { small } : {})}
        look="danger"
        refused={refusalOf('experiment:delete', experiments)}
        onClick={() => {
          setWithMade(false)
          setAsking('delete')
        }}
      >
        <TrashIcon /> Delete
      </Button>
      <Confirm
        open={asking === 'stop'}
        onClose={() => setAsking(undefined)}
        title={`Stop ${plural(open.length, 'experiment')}?`}
        says={
          <>
            {open.length === 1 ? <b>{open[0]!.name}</b> : plural(open.length, 'experiment')} of{' '}
            <b>{owners(open)}</b> will be asked to stop. The scripts end at their next sign of life; what they
            logged is kept.
          </>
        }
        verb="Stop"
        act={async () => {
          await each(open, (ref) => grid.experiments.stop(ref))
          tell(`Asked ${plural(open.length, 'experiment')} to stop`)
          await again()
        }}
      />
      <Confirm
        open={asking === 'delete'}
        onClose={() => setAsking(undefined)}
        title={`Delete ${plural(experiments.length, 'experiment')}?`}
        says={
          <>
            {experiments.length === 1 ? (
              <b>{experiments[0]!.name}</b>
            ) : (
              plural(experiments.length, 'experiment')
            )}{' '}
            of <b>{owners(experiments)}</b>, with curves, console and files, will be gone for the whole team.
            {asking === 'delete' && (
              <MadeArtifacts of={experiments} checked={withMade} onChange={setWithMade} />
            )}
          </>
        }
        verb="Delete"
        act={async () => {
          await each(experiments, async (ref) => {
            if (withMade) await grid.artifacts.deleteMade(ref)
            await grid.experiments.delete(ref)
          })
          tell(`Deleted ${plural(experiments.length, 'experiment')}`)
          onDeleted?.()
          await again()
        }}
      />
    </>
  )
}

const previewedMax = 1000

/** Offers to delete the artifacts that they made as well, with what that frees; nothing when they made none. */
function MadeArtifacts({
  of,
  checked,
  onChange,
}: {
  of: readonly Experiment[]
  checked: boolean
  onChange: (checked: boolean) => void
}) {
  const preview = useQuery({
    ...api.artifacts.previewDeleteMade.queryOptions({ input: { experimentIds: of.map((each) => each.id) } }),
    enabled: of.length > 0 && of.length <= previewedMax,
    staleTime: 0,
    gcTime: 0,
  })
  if (preview.data === undefined || preview.data.versions.length === 0) return null
  const { versions, sizeBytes, freedBytes, refusal } = preview.data
  const what = `${plural(versions.length, 'version')} of artifacts that ${of.length === 1 ? 'it' : 'they'} made`
  if (refusal !== null)
    return (
      <p className="mt-3 text-ink-faint">
        The {what} stay. {refusal}
      </p>
    )
  return (
    <div className="mt-3">
      <Checkbox
        label={`Also delete the ${what}`}
        checked={checked}
        onChange={(event) => onChange(event.target.checked)}
      />
      <p className="text-[13px] text-ink-faint">
        {formatBytes(sizeBytes)}, of which {formatBytes(freedBytes)} are freed
        {freedBytes < sizeBytes && '; other versions keep the rest'}.
      </p>
    </div>
  )
}
