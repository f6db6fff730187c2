import { useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link, Navigate } from '@tanstack/react-router'
import { lazy, Suspense, useState } from 'react'
import { Comments } from '../../features/reports/comments.tsx'
import { ReportBody } from '../../features/reports/report-body.tsx'
import { reportQuery } from '../../features/reports/queries.ts'
import { ShareDialog } from '../../features/reports/share-dialog.tsx'
import { teamQuery } from '../../features/teams/queries.ts'
import { api, grid, isNotFound } from '../../lib/client.ts'
import { useRefusal } from '../../lib/me.ts'
import { Button } from '../../ui/button.tsx'
import { Confirm } from '../../ui/dialog.tsx'
import { Problem, SkeletonRows, Tag } from '../../ui/feedback.tsx'
import { Page } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'
import { tell, tellError } from '../../ui/toast.tsx'
import { NotFound } from '../page-states.tsx'
import { sharedToken } from '../search.ts'

const ReportEditor = lazy(() =>
  import('../../features/reports/editor.tsx').then((module) => ({ default: module.ReportEditor })),
)

const route = getRouteApi('/inside/$team/$project/reports/$slug')

/** One report: read, or edited with `?edit`. */
export function ReportPage() {
  const { slug } = route.useParams()
  const { edit = false, accessToken } = route.useSearch()
  const navigate = route.useNavigate()
  const queries = useQueryClient()
  const id = reportIdOf(slug)
  const report = useQuery({ ...reportQuery(id ?? ''), enabled: id !== undefined })
  const team = useQuery(teamQuery(report.data?.team ?? '')).data
  const may = useRefusal(team)
  const [sharing, setSharing] = useState(false)
  const [removing, setRemoving] = useState(false)
  if (id === undefined || (report.isError && isNotFound(report.error)))
    return accessToken === undefined ? (
      <NotFound />
    ) : (
      <Navigate to="/shared/$token" params={{ token: sharedToken(accessToken) }} />
    )
  if (report.isError) return <Problem error={report.error} retry={() => void report.refetch()} />
  if (report.data === undefined) return <SkeletonRows className="mx-auto max-w-4xl py-8" />
  const { data } = report
  const place = { team: data.team, project: data.project }
  const about = { ownerId: data.createdById, kind: 'report', name: data.title, share: data.share }
  if (edit && data.mayEdit)
    return (
      <Page wide title={`Edit ${data.title}`}>
        <Suspense fallback={<SkeletonRows />}>
          <ReportEditor key={data.id} report={data} onDone={() => void navigate({ search: {} })} />
        </Suspense>
      </Page>
    )
  const shown = data.isPublished ? data : (data.draft ?? data)
  const follow = () => {
    grid.reports
      .follow({ reportId: data.id, follow: !data.isFollowed })
      .then(() =>
        tell(data.isFollowed ? 'You follow this report no more' : 'You will hear of comments and news'),
      )
      .catch(tellError)
      .finally(() => void queries.invalidateQueries({ queryKey: api.reports.get.key() }))
  }
  return (
    <Page
      title={shown.title}
      note={!data.isPublished ? <Tag>draft</Tag> : data.hasDraft ? <Tag>unpublished changes</Tag> : undefined}
      actions={
        <>
          <Button small refused={may('report:follow', about)} aria-pressed={data.isFollowed} onClick={follow}>
            {data.isFollowed ? 'Following' : 'Follow'}
          </Button>
          <Button small refused={may('report:edit', about)} onClick={() => setSharing(true)}>
            Share
          </Button>
          <Button
            small
            refused={may('report:edit', about)}
            onClick={() => void navigate({ search: { edit: true } })}
          >
            Edit
          </Button>
          <Button small look="danger" refused={may('report:delete', about)} onClick={() => setRemoving(true)}>
            Delete
          </Button>
        </>
      }
    >
      <p className="-mt-3 text-[13px] text-ink-faint">
        <Link to="/$team/$project/reports" params={place} className="hover:underline">
          {data.team} / {data.project}
        </Link>{' '}
        · {data.createdBy.name || data.createdBy.username} · <Ago at={data.updatedAt} />
      </p>
      {shown.description !== '' && <p className="text-ink-soft">{shown.description}</p>}
      <ReportBody spec={shown.spec} place={place} />
      {team !== undefined && <Comments report={data} team={team} />}
      {sharing && (
        <ShareDialog report={data} mayOpen={may('report:delete', about)} onClose={() => setSharing(false)} />
      )}
      <Confirm
        open={removing}
        onClose={() => setRemoving(false)}
        title={`Delete the report ${data.title}?`}
        says="Its comments and links go with it. The experiments stay."
        verb="Delete"
        act={async () => {
          await grid.reports.delete({ reportId: data.id })
          await navigate({ to: '/$team/$project/reports', params: place })
        }}
      />
    </Page>
  )
}

/** Of our own addresses, and of those that the wandb client prints: `Title--<base64 of View:v1:…>`. */
function reportIdOf(slug: string): string | undefined {
  const name = slug.split('--').at(-1)!
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(name)) return name
  try {
    return /^View:v1:([0-9a-f-]{36})$/.exec(atob(name))?.[1]
  } catch {
    return undefined
  }
}
