import type { ExperimentDetails } from '@teamgrid/api'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, Navigate } from '@tanstack/react-router'
import { lazy, Suspense, useMemo } from 'react'
import { preferredColour, seriesColours } from '../../charts/colours.ts'
import { ChartBoard } from '../../features/experiments/chart-board.tsx'
import { ChartToolbar } from '../../features/experiments/chart-toolbar.tsx'
import { ExperimentHead } from '../../features/experiments/experiment-head.tsx'
import { byName, isBookkeeping, stepKeyOf } from '../../features/experiments/panels.ts'
import { experimentQuery, keysQuery } from '../../features/experiments/queries.ts'
import { projectQuery } from '../../features/teams/queries.ts'
import { isNotFound } from '../../lib/client.ts'
import { useTeam } from '../../lib/me.ts'
import { useTheme } from '../../lib/theme.ts'
import { EmptyState, Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { TabRow, tabClass } from '../../ui/tabs.tsx'
import { NotFound } from '../page-states.tsx'
import { present } from '../search.ts'

const route = getRouteApi('/inside/$team/$project/runs/$id')

const OverviewTab = lazy(() =>
  import('../../features/experiments/overview.tsx').then((module) => ({ default: module.Overview })),
)
const ConsoleTab = lazy(() =>
  import('../experiment-tabs/console-tab.tsx').then((module) => ({ default: module.ConsoleTab })),
)
const FilesTab = lazy(() =>
  import('../experiment-tabs/files-tab.tsx').then((module) => ({ default: module.FilesTab })),
)
const MediaTab = lazy(() =>
  import('../experiment-tabs/media-tab.tsx').then((module) => ({ default: module.MediaTab })),
)

const ArtifactsTab = lazy(() =>
  import('../experiment-tabs/artifacts-tab.tsx').then((module) => ({ default: module.ArtifactsTab })),
)
const CodeTab = lazy(() =>
  import('../experiment-tabs/code-tab.tsx').then((module) => ({ default: module.CodeTab })),
)

const tabs = [
  { tab: 'charts', label: 'Charts' },
  { tab: 'overview', label: 'Overview' },
  { tab: 'console', label: 'Console' },
  { tab: 'system', label: 'System' },
  { tab: 'media', label: 'Media' },
  { tab: 'files', label: 'Files' },
  { tab: 'artifacts', label: 'Artifacts' },
  { tab: 'code', label: 'Code' },
] as const

/** One experiment; each tab is an address. */
export function ExperimentPage() {
  const params = route.useParams()
  const { tab = 'charts' } = route.useSearch()
  const team = useTeam(params.team)
  const theme = useTheme()
  // News names projects by id: with the project known, other projects' news is not taken for this one's.
  useQuery(projectQuery(params.team, params.project))
  const experiment = useQuery(
    experimentQuery({ team: params.team, project: params.project, experiment: params.id }),
  )
  if (experiment.isError && isNotFound(experiment.error)) return <NotFound />
  if (experiment.data === undefined) {
    return experiment.isError ? (
      <Problem error={experiment.error} retry={() => void experiment.refetch()} />
    ) : (
      <SkeletonRows className="mx-auto max-w-4xl py-8" />
    )
  }
  const { data } = experiment
  // It moved: this is where it is now. Names are compared as the server compares them.
  const isElsewhere =
    data.slug !== params.id ||
    data.team.toLowerCase() !== params.team.toLowerCase() ||
    data.project.toLowerCase() !== params.project.toLowerCase()
  if (isElsewhere) {
    return (
      <Navigate
        replace
        to="/$team/$project/runs/$id"
        params={{ team: data.team, project: data.project, id: data.slug }}
        search={(before) => before}
      />
    )
  }
  const colour = seriesColours[theme][preferredColour(data.id)]!
  return (
    <div className="flex h-[calc(100dvh-2.75rem)] min-h-0 flex-col">
      <ExperimentHead experiment={data} team={team} colour={colour} />
      <div className="bg-surface">
        <TabRow label="Parts of the experiment">
          {tabs.map((each) => (
            <Link
              key={each.tab}
              to="/$team/$project/runs/$id"
              params={params}
              search={each.tab === 'charts' ? {} : { tab: each.tab }}
              aria-current={each.tab === tab ? 'page' : undefined}
              activeOptions={{ exact: true, includeSearch: true }}
              data-open={each.tab === tab || undefined}
              className={tabClass}
            >
              {each.label}
              {each.tab === 'files' && data.files > 0 && (
                <span className="ml-1 text-xs text-ink-faint">{data.files}</span>
              )}
            </Link>
          ))}
        </TabRow>
      </div>
      <div className="scroll-quiet flex min-h-0 flex-1 flex-col overflow-auto">
        <Suspense fallback={<SkeletonRows />}>
          {tab === 'charts' && <Charts experiment={data} colour={colour} stream="history" />}
          {tab === 'system' && <Charts experiment={data} colour={colour} stream="system" />}
          {tab === 'overview' && <OverviewTab experiment={data} team={team} />}
          {tab === 'console' && <ConsoleTab experiment={data} />}
          {tab === 'files' && <FilesTab experiment={data} team={team} />}
          {tab === 'media' && <MediaTab experiment={data} />}
          {tab === 'artifacts' && <ArtifactsTab experiment={data} />}
          {tab === 'code' && <CodeTab experiment={data} />}
        </Suspense>
      </div>
    </div>
  )
}

function Charts({
  experiment,
  colour,
  stream,
}: {
  experiment: ExperimentDetails
  colour: string
  stream: 'history' | 'system'
}) {
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const change = (next: Partial<typeof search>) =>
    void navigate({ search: (before) => present({ ...before, ...next }), replace: true, resetScroll: false })
  const keys = useQuery(keysQuery([experiment.id], stream))
  const drawn = useMemo(
    () => [
      {
        id: experiment.id,
        slug: experiment.slug,
        name: experiment.name,
        colour,
        branchedAt: experiment.branchedFrom?.step,
      },
    ],
    [experiment.id, experiment.slug, experiment.name, colour, experiment.branchedFrom?.step],
  )
  const hidden = experiment.metricDefinitions.filter((each) => each.hidden).map((each) => each.key)
  const shownKeys = (keys.data ?? []).filter((key) => !hidden.includes(key.key))
  const hasNumbers = shownKeys.some((key) => key.kind === 'number' && !isBookkeeping(key.key))
  const defaultX = stream === 'system' ? 'runtime' : 'step'
  if (keys.isError) return <Problem error={keys.error} retry={() => void keys.refetch()} />
  if (keys.data === undefined) return <SkeletonRows />
  if (!hasNumbers) {
    return stream === 'system' ? (
      <EmptyState
        title="No system metrics"
        says="The client measures processor, memory, disk and GPUs every few seconds while a script runs. This experiment has sent none."
      />
    ) : (
      <EmptyState title="No curves yet" says="Numbers logged with run.log({…}) appear here as they arrive." />
    )
  }
  return (
    <>
      <div className="border-b border-line bg-surface px-3 py-2">
        <ChartToolbar
          view={search}
          change={change}
          defaultX={defaultX}
          axisKeys={
            stream === 'system'
              ? []
              : shownKeys
                  .filter((key) => key.kind === 'number' && !isBookkeeping(key.key))
                  .map((key) => key.key)
                  .toSorted(byName)
          }
        />
      </div>
      <ChartBoard
        keys={shownKeys}
        experiments={drawn}
        view={search}
        change={change}
        stream={stream}
        defaultX={defaultX}
        xOf={(key) => (stream === 'system' ? undefined : stepKeyOf(key, experiment.metricDefinitions))}
        memory={`${experiment.team}/${experiment.project}/${stream}`}
      />
    </>
  )
}
