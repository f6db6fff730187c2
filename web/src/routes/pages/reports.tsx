import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { teamQuery } from '../../features/teams/queries.ts'
import { reportsQuery } from '../../features/reports/queries.ts'
import { grid, isNotFound } from '../../lib/client.ts'
import { useRefusal } from '../../lib/me.ts'
import { Button } from '../../ui/button.tsx'
import { EmptyState, Problem, SkeletonRows, Tag } from '../../ui/feedback.tsx'
import { Page } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'
import { tellError } from '../../ui/toast.tsx'
import { NotFound } from '../page-states.tsx'

const route = getRouteApi('/inside/$team/$project/reports')

/** What people wrote about a project. */
export function ReportsPage() {
  const { team, project } = route.useParams()
  const navigate = route.useNavigate()
  const reports = useQuery(reportsQuery({ team, project }))
  const may = useRefusal(useQuery(teamQuery(team)).data)
  if (reports.isError && isNotFound(reports.error)) return <NotFound />
  const begin = () => {
    grid.reports
      .create({ team, project, title: 'Untitled report' })
      .then(({ id }) =>
        navigate({
          to: '/$team/$project/reports/$slug',
          params: { team, project, slug: id },
          search: { edit: true },
        }),
      )
      .catch(tellError)
  }
  const fresh = (
    <Button small look="primary" refused={may('report:create')} onClick={begin}>
      New report
    </Button>
  )
  return (
    <Page
      title={`Reports of ${project}`}
      actions={
        <>
          <Link
            to="/$team/$project"
            params={{ team, project }}
            className="self-center text-[13px] text-accent hover:underline"
          >
            Workspace
          </Link>
          {fresh}
        </>
      }
    >
      {reports.isError ? (
        <Problem error={reports.error} retry={() => void reports.refetch()} />
      ) : reports.data === undefined ? (
        <SkeletonRows />
      ) : reports.data.length === 0 ? (
        <EmptyState
          title="No reports yet"
          says="Write down what you found, with live panels over your experiments; or save one with wandb_workspaces.reports.v2."
        >
          <div>{fresh}</div>
        </EmptyState>
      ) : (
        <ul className="divide-y divide-line rounded-lg border border-line bg-surface">
          {reports.data.map((report) => (
            <li key={report.id} className="px-4 py-3">
              <div className="flex flex-wrap items-baseline gap-x-2">
                <Link
                  to="/$team/$project/reports/$slug"
                  params={{ team, project, slug: report.id }}
                  className="font-medium hover:underline"
                >
                  {report.title}
                </Link>
                {!report.isPublished ? <Tag>draft</Tag> : report.hasDraft && <Tag>unpublished changes</Tag>}
                <span className="ml-auto text-[13px] text-ink-faint">
                  {report.createdBy.name || report.createdBy.username}, <Ago at={report.updatedAt} />
                </span>
              </div>
              {report.description !== '' && <p className="text-[13px] text-ink-soft">{report.description}</p>}
              {report.comments > 0 && (
                <p className="text-xs text-ink-faint">
                  {report.comments} comment{report.comments === 1 ? '' : 's'}
                </p>
              )}
            </li>
          ))}
        </ul>
      )}
    </Page>
  )
}
