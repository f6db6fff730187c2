import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { ReportBody } from '../../features/reports/report-body.tsx'
import { api } from '../../lib/client.ts'
import { EmptyState, SkeletonRows } from '../../ui/feedback.tsx'
import { Page } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'

const route = getRouteApi('/shared/$token')

/** A report for whoever has its link, signed in or not. */
export function SharedPage() {
  const { token } = route.useParams()
  const report = useQuery(api.reports.shared.queryOptions({ input: { token } }))
  if (report.isError)
    return (
      <EmptyState
        title="This link leads nowhere"
        says={`${report.error.message}. Ask whoever sent it for a new one.`}
      />
    )
  if (report.data === undefined) return <SkeletonRows className="mx-auto max-w-4xl py-8" />
  const { title, description, spec, author, updatedAt, team, project } = report.data
  return (
    <main>
      <header className="flex h-11 items-center gap-2 border-b border-line bg-surface px-4 text-[13px]">
        <img src="/favicon.svg" alt="" className="size-6" />
        <span className="font-semibold">Teamgrid</span>
        <span className="ml-auto text-ink-faint">Shared by link, to read</span>
      </header>
      <Page title={title}>
        <p className="-mt-3 text-[13px] text-ink-faint">
          {team} / {project} · {author} · <Ago at={updatedAt} />
        </p>
        {description !== '' && <p className="text-ink-soft">{description}</p>}
        <ReportBody spec={spec} place={{ team, project }} token={token} />
      </Page>
    </main>
  )
}
