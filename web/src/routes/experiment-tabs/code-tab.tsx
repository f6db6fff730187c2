import type { ExperimentDetails } from '@teamgrid/api'
import { useQuery } from '@tanstack/react-query'
import { reproductionQuery } from '../../features/artifacts/queries.ts'
import { Reproduce } from '../../features/artifacts/reproduce.tsx'
import { FilePreview } from '../../features/files/preview.tsx'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'

export function CodeTab({ experiment: { team, project, slug } }: { experiment: ExperimentDetails }) {
  const found = useQuery(reproductionQuery({ team, project, experiment: slug }))
  if (found.isError) return <Problem error={found.error} retry={() => void found.refetch()} />
  if (found.data === undefined) return <SkeletonRows />
  return (
    <Reproduce
      of={found.data}
      preview={(file) => (
        // Source is saved once for an experiment and named by it: its address is signed anew with every answer.
        <FilePreview
          file={{ ...file, mediaType: 'text/plain', md5Hex: `${team}/${project}/${slug}`, updatedAt: '' }}
        />
      )}
    />
  )
}
