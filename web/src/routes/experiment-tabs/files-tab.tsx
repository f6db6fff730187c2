import type { ExperimentDetails, Team } from '@teamgrid/api'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { filesQuery } from '../../features/experiments/queries.ts'
import { FileBrowser } from '../../features/files/file-browser.tsx'
import { useRefusal } from '../../lib/me.ts'
import { EmptyState, Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { present } from '../search.ts'

const route = getRouteApi('/inside/$team/$project/runs/$id')

export function FilesTab({ experiment, team }: { experiment: ExperimentDetails; team: Team | undefined }) {
  const { path = '', file } = route.useSearch()
  const navigate = route.useNavigate()
  const files = useQuery(
    filesQuery(
      { team: experiment.team, project: experiment.project, experiment: experiment.slug },
      experiment.id,
    ),
  )
  const refused = useRefusal(team)('file:download', {
    kind: 'experiment',
    name: experiment.name,
    ownerId: experiment.createdById,
    ownerName: experiment.createdBy.username,
  })
  if (files.isError) return <Problem error={files.error} retry={() => void files.refetch()} />
  if (files.data === undefined) return <SkeletonRows />
  if (files.data.length === 0)
    return (
      <EmptyState
        title="No files"
        says="Files that the script saves with run.save(…), its media and its requirements appear here."
      />
    )
  return (
    <FileBrowser
      files={files.data}
      folder={path}
      open={file}
      onFolder={(next) =>
        void navigate({
          search: (before) => present({ ...before, path: next === '' ? undefined : next, file: undefined }),
        })
      }
      onOpen={(next) =>
        void navigate({ search: (before) => present({ ...before, file: next }), replace: file !== undefined })
      }
      downloadRefused={refused}
    />
  )
}
