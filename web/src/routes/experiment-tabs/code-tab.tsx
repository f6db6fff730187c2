import type { ExperimentDetails } from '@teamgrid/api'
import { useQuery } from '@tanstack/react-query'
import { reproductionQuery } from '../../features/artifacts/queries.ts'
import { Reproduce } from '../../features/artifacts/reproduce.tsx'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'

export function CodeTab({ experiment: { team, project, slug } }: { experiment: ExperimentDetails }) {
  const found = useQuery(reproductionQuery({ team, project, experiment: slug }))
  if (found.isError) return <Problem error={found.error} retry={() => void found.refetch()} />
  if (found.data === undefined) return <SkeletonRows />
  return <Reproduce of={found.data} />
}
