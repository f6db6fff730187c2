import type { Experiment, ExperimentQuery } from '@teamgrid/api'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { assignColours, seriesColours } from '../../charts/colours.ts'
import { ChartBoard } from '../../features/experiments/chart-board.tsx'
import type { Drawn } from '../../features/experiments/chart-panel.tsx'
import { ChartToolbar } from '../../features/experiments/chart-toolbar.tsx'
import { FirstExperiment } from '../../features/experiments/empty-project.tsx'
import { ExperimentList, listPageSize } from '../../features/experiments/experiment-list.tsx'
import { filtersFromText, sortFromText } from '../../features/experiments/filters.ts'
import { defaultSort, ListControls } from '../../features/experiments/list-controls.tsx'
import {
  byName,
  isBookkeeping,
  shownMax,
  shownSlugs,
  toggleShown,
} from '../../features/experiments/panels.ts'
import { columnsQuery, keysQuery, rowsQuery } from '../../features/experiments/queries.ts'
import { projectQuery } from '../../features/teams/queries.ts'
import { isNotFound } from '../../lib/client.ts'
import { useRefusal, useTeam } from '../../lib/me.ts'
import { useTheme } from '../../lib/theme.ts'
import { EmptyState, Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { Segmented } from '../../ui/tabs.tsx'
import { NotFound } from '../page-states.tsx'
import { present } from '../search.ts'

const route = getRouteApi('/inside/$team/$project')

/** Experiments on the left, their charts on the right. */
export function WorkspacePage() {
  const ref = route.useParams()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const refused = useRefusal(useTeam(ref.team))
  const [side, setSide] = useState<'charts' | 'list'>('charts')
  const change = (next: Partial<typeof search>) =>
    void navigate({ search: (before) => present({ ...before, ...next }), replace: true, resetScroll: false })

  const project = useQuery(projectQuery(ref.team, ref.project))
  const listed: Pick<ExperimentQuery, 'search' | 'filters' | 'sort'> = useMemo(
    () => ({
      ...(search.q === undefined ? {} : { search: search.q }),
      filters: filtersFromText(search.where ?? ''),
      sort: [sortFromText(search.sort ?? defaultSort)],
    }),
    [search.q, search.where, search.sort],
  )
  const firstPage = useQuery(rowsQuery(ref, { ...listed, offset: 0, limit: listPageSize }))
  const columns = useQuery(columnsQuery(ref))
  const drawn = useDrawn(ref, search.show, firstPage.data?.rows)
  const keys = useQuery(keysQuery(drawn.map((each) => each.id)))
  const axisKeys = useMemo(
    () =>
      (keys.data ?? [])
        .filter((key) => key.kind === 'number' && key.stream === 'history' && !isBookkeeping(key.key))
        .map((key) => key.key)
        .toSorted(byName),
    [keys.data],
  )
  const historyKeys = useMemo(() => (keys.data ?? []).filter((key) => key.stream === 'history'), [keys.data])

  if (project.isError && isNotFound(project.error)) return <NotFound />
  if (project.isError) return <Problem error={project.error} retry={() => void project.refetch()} />
  const isEmpty =
    firstPage.data?.total === 0 && listed.search === undefined && (listed.filters ?? []).length === 0
  if (isEmpty)
    return (
      <FirstExperiment
        team={ref.team}
        project={ref.project}
        mayLog={refused('experiment:create') === undefined}
      />
    )
  const colours = new Map(drawn.map((each) => [each.slug, each.colour]))
  return (
    <div className="flex h-[calc(100dvh-2.75rem)] min-h-0 flex-col md:flex-row">
      <div className="flex flex-wrap items-center gap-x-2 border-b border-line bg-surface px-3 py-1.5 md:hidden">
        <Segmented
          label="View"
          value={side}
          onChange={setSide}
          choices={[
            { value: 'charts', label: 'Charts' },
            { value: 'list', label: `Experiments ${firstPage.data?.total ?? ''}` },
          ]}
        />
        <ProjectLinks team={ref.team} project={ref.project} />
      </div>
      <aside
        aria-label="Experiments"
        className={`min-h-0 w-full flex-col border-r border-line bg-surface md:flex md:w-72 md:shrink-0 xl:w-80 ${side === 'list' ? 'flex flex-1' : 'hidden'}`}
      >
        <div className="flex flex-col gap-2 p-3 pb-2">
          <div className="hidden flex-col gap-1 md:flex">
            <h1 className="truncate text-[15px] font-semibold" title={ref.project}>
              {ref.project}
            </h1>
            <ProjectLinks team={ref.team} project={ref.project} />
          </div>
          <ListControls view={search} change={change} columns={columns.data ?? []} />
        </div>
        <ExperimentList
          project={ref}
          query={listed}
          colours={colours}
          onToggle={(slug) =>
            change({
              show: toggleShown(
                drawn.map((each) => each.slug),
                slug,
              ),
            })
          }
        />
      </aside>
      <div className={`min-h-0 min-w-0 flex-1 flex-col md:flex ${side === 'charts' ? 'flex' : 'hidden'}`}>
        <div className="border-b border-line bg-surface px-3 py-2">
          <ChartToolbar view={search} change={change} axisKeys={axisKeys} />
        </div>
        <div className="scroll-quiet min-h-0 flex-1 overflow-auto">
          {drawn.length === 0 && firstPage.data !== undefined ? (
            <EmptyState title="Nothing to draw" says="Press the eye beside an experiment to draw it." />
          ) : keys.data === undefined ? (
            <SkeletonRows rows={8} />
          ) : historyKeys.every((key) => key.kind !== 'number') ? (
            <EmptyState
              title="No numbers yet"
              says="The drawn experiments have logged no numbers. Curves appear here by themselves as soon as they do."
            />
          ) : (
            <ChartBoard
              keys={historyKeys}
              experiments={drawn}
              view={search}
              change={change}
              memory={`${ref.team}/${ref.project}`}
            />
          )}
        </div>
      </div>
    </div>
  )
}

/** The other pages of the project. The table keeps what the list is narrowed to. */
function ProjectLinks({ team, project }: { team: string; project: string }) {
  const { q, where, sort } = route.useSearch()
  const params = { team, project }
  const look =
    'inline-flex h-7 shrink-0 items-center rounded-md px-1.5 text-[13px] text-ink-soft hover:bg-hover hover:text-ink'
  return (
    <nav aria-label="Project" className="-ml-1.5 flex flex-wrap">
      <Link to="/$team/$project/table" params={params} search={present({ q, where, sort })} className={look}>
        Table
      </Link>
      <Link to="/$team/$project/sweeps" params={params} className={look}>
        Sweeps
      </Link>
      <Link to="/$team/$project/artifacts" params={params} className={look}>
        Artifacts
      </Link>
      <Link to="/$team/$project/reports" params={params} className={look}>
        Reports
      </Link>
    </nav>
  )
}

/** The experiments to draw with their colours. Those named in the address may be outside the page of the list that is loaded. */
function useDrawn(
  ref: { team: string; project: string },
  show: string | undefined,
  listed: readonly Pick<Experiment, 'id' | 'slug' | 'name' | 'createdAt' | 'branchedFrom'>[] | undefined,
): Drawn[] {
  const theme = useTheme()
  const named = show === undefined ? [] : shownSlugs(show, [])
  const found = useQuery({
    ...rowsQuery(ref, { filters: [{ column: 'slug', op: 'in', value: named }], sort: [], limit: shownMax }),
    enabled: named.length > 0,
  })
  const rows = show === undefined ? listed : found.data?.rows
  return useMemo(() => {
    const wanted = shownSlugs(show, listed?.map((row) => row.slug) ?? [])
    const shown = wanted.flatMap(
      (slug) => rows?.find((row) => row.slug === slug) ?? listed?.find((row) => row.slug === slug) ?? [],
    )
    const colours = assignColours(
      shown.toSorted((a, b) => a.createdAt.localeCompare(b.createdAt)).map((row) => row.id),
    )
    return shown.map((row) => ({
      id: row.id,
      slug: row.slug,
      name: row.name,
      colour: seriesColours[theme][colours.get(row.id)!]!,
      branchedAt: row.branchedFrom?.step,
    }))
  }, [show, rows, listed, theme])
}
