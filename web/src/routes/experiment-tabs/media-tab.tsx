import type { ExperimentDetails } from '@teamgrid/api'
import { useQuery } from '@tanstack/react-query'
import { byName } from '../../features/experiments/panels.ts'
import { filesQuery, keysQuery, mediaQuery } from '../../features/experiments/queries.ts'
import { MediaPanel } from '../../features/media/media-panel.tsx'
import { EmptyState, Problem, SkeletonRows } from '../../ui/feedback.tsx'

const itemsMax = 500

/** Pictures, tables, sounds and the like, one panel for each key. */
export function MediaTab({ experiment }: { experiment: ExperimentDetails }) {
  const ref = { team: experiment.team, project: experiment.project, experiment: experiment.slug }
  const keys = useQuery(keysQuery([experiment.id], 'history'))
  const media = (keys.data ?? [])
    .filter((key) => key.kind === 'object' && !key.key.startsWith('_'))
    .toSorted((a, b) => byName(a.key, b.key))
  // Pictures inside tables are named by path only; the list of files knows their links.
  const files = useQuery({
    ...filesQuery(ref, experiment.id),
    enabled: media.some((key) => key.type.startsWith('table')),
  })
  const urls = new Map(files.data?.map((file) => [file.path, file.url]))
  if (keys.isError) return <Problem error={keys.error} retry={() => void keys.refetch()} />
  if (keys.data === undefined) return <SkeletonRows />
  if (media.length === 0) {
    return (
      <EmptyState
        title="No media"
        says="Images, tables, audio, video, histograms and plots that the script logs appear here, with a slider over their steps."
      />
    )
  }
  return (
    <div className="grid items-start gap-2 p-3 sm:grid-cols-[repeat(auto-fill,minmax(20rem,1fr))]">
      {media.map((key) => (
        <MediaPanel
          key={key.key}
          metric={key.key}
          query={mediaQuery(ref, experiment.id, key.key, itemsMax)}
          fileUrl={(path) => urls.get(path)}
        />
      ))}
    </div>
  )
}
