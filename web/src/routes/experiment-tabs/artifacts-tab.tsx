import type { ExperimentDetails } from '@teamgrid/api'
import { useQuery } from '@tanstack/react-query'
import { VersionTable } from '../../features/artifacts/of-experiment.tsx'
import { ofExperimentQuery } from '../../features/artifacts/queries.ts'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'

export function ArtifactsTab({ experiment: { team, project, slug } }: { experiment: ExperimentDetails }) {
  const found = useQuery(ofExperimentQuery({ team, project, experiment: slug }))
  if (found.isError) return <Problem error={found.error} retry={() => void found.refetch()} />
  if (found.data === undefined) return <SkeletonRows />
  return (
    <div className="mx-auto flex w-full max-w-7xl flex-col gap-6 p-4">
      <VersionTable
        title="Made"
        says="This experiment saved no artifact. In the script: run.log_artifact(…), or run.log of a table."
        of={found.data.made}
      />
      <VersionTable
        title="Used"
        says='It used none. In the script: run.use_artifact("name:latest").'
        of={found.data.used}
      />
    </div>
  )
}
