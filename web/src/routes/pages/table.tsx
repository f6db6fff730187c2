import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { ExperimentActions } from '../../features/experiments/actions.tsx'
import { LazyInput } from '../../features/experiments/chart-toolbar.tsx'
import { ColumnPicker } from '../../features/experiments/column-picker.tsx'
import { CompareDialog } from '../../features/experiments/compare-dialog.tsx'
import { FirstExperiment } from '../../features/experiments/empty-project.tsx'
import { ExperimentTable } from '../../features/experiments/experiment-table.tsx'
import { FilterBar } from '../../features/experiments/filter-bar.tsx'
import { filtersFromText, sortFromText, sortToText } from '../../features/experiments/filters.ts'
import { defaultSort } from '../../features/experiments/list-controls.tsx'
import { MoveDialog } from '../../features/experiments/move-dialog.tsx'
import { columnsQuery, rowsQuery } from '../../features/experiments/queries.ts'
import { projectQuery } from '../../features/teams/queries.ts'
import { isNotFound } from '../../lib/client.ts'
import { formatCount } from '../../lib/format.ts'
import { useRefusal, useTeam } from '../../lib/me.ts'
import { useRemembered } from '../../lib/remember.ts'
import { Button } from '../../ui/button.tsx'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { ChartIcon } from '../../ui/icons.tsx'
import { NotFound } from '../page-states.tsx'
import { present } from '../search.ts'

const route = getRouteApi('/inside/$team/$project/table')
const pageSize = 50
const compareMax = 6

/** The experiments of a project as a full table; everything is found, sorted and cut into pages on the server. */
export function TablePage() {
  const ref = route.useParams()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const team = useTeam(ref.team)
  const refused = useRefusal(team)
  const change = (next: Partial<typeof search>) =>
    void navigate({
      search: (before) => present({ ...before, page: undefined, ...next }),
      replace: true,
      resetScroll: false,
    })
  const [remembered, remember] = useRemembered<string[]>(`columns.${ref.team}/${ref.project}`, [
    'creator',
    'created_at',
    'duration',
  ])
  const chosen = search.columns === undefined ? remembered : search.columns.split(',').map(decodeURIComponent)
  const page = Math.max(1, Math.trunc(search.page ?? 1))
  const sort = sortFromText(search.sort ?? defaultSort)
  const query = useMemo(
    () => ({
      ...(search.q === undefined ? {} : { search: search.q }),
      filters: filtersFromText(search.where ?? ''),
      sort: [sort],
      columns: chosen.filter((column) => /^(?:config|summary)\.|^host$|^commit$/.test(column)),
      offset: (page - 1) * pageSize,
      limit: pageSize,
    }),
    // oxlint-disable-next-line react/exhaustive-deps
    [search.q, search.where, search.sort, page, chosen.join(',')],
  )
  const project = useQuery(projectQuery(ref.team, ref.project))
  const rows = useQuery(rowsQuery(ref, query))
  const columns = useQuery(columnsQuery(ref))
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const [isAll, setAll] = useState(false)
  const [isMoving, setMoving] = useState(false)
  const select = (slugs: readonly string[], on: boolean) => {
    setAll(false)
    const next = new Set(selected)
    for (const slug of slugs) {
      if (on) next.add(slug)
      else next.delete(slug)
    }
    setSelected(next)
  }
  if (project.isError)
    return isNotFound(project.error) ? (
      <NotFound />
    ) : (
      <Problem error={project.error} retry={() => void project.refetch()} />
    )
  const total = rows.data?.total ?? 0
  if (rows.data !== undefined && total === 0 && search.q === undefined && search.where === undefined) {
    return (
      <FirstExperiment
        team={ref.team}
        project={ref.project}
        mayLog={refused('experiment:create') === undefined}
      />
    )
  }
  const pages = Math.max(1, Math.ceil(total / pageSize))
  const selectedRows = rows.data?.rows.filter((row) => selected.has(row.slug)) ?? []
  const moveRefusals = selectedRows.map((row) =>
    refused('experiment:move', {
      kind: 'experiment',
      name: row.name,
      ownerId: row.createdById,
      ownerName: row.createdBy.username,
    }),
  )
  // Of a mixed choice the dialog leaves out what may not be taken, if one says so.
  const moveRefused = moveRefusals.every((sentence) => sentence !== undefined) ? moveRefusals[0] : undefined
  return (
    <div className="flex h-[calc(100dvh-2.75rem)] min-h-0 flex-col bg-surface">
      <div className="flex flex-wrap items-center gap-2 border-b border-line px-3 py-2">
        <h1 className="sr-only">{ref.project} as a table</h1>
        <LazyInput
          label="Search experiments"
          placeholder="Search name, tag, note, /regex/"
          value={search.q ?? ''}
          onChange={(q) => change({ q: q === '' ? undefined : q })}
          className="w-64 max-sm:w-full"
        />
        <FilterBar
          where={search.where}
          onChange={(where) => change({ where })}
          columns={columns.data ?? []}
        />
        <ColumnPicker
          chosen={chosen}
          known={columns.data ?? []}
          onChange={(next) => {
            remember(next)
            change({ columns: next.map(encodeURIComponent).join(','), page })
          }}
        />
        <Link
          to="/$team/$project"
          params={ref}
          search={present({ q: search.q, where: search.where, sort: search.sort })}
          className="ml-auto inline-flex h-7 items-center gap-1.5 rounded-md px-2 text-[13px] text-ink-soft hover:bg-hover hover:text-ink"
        >
          <ChartIcon /> Charts
        </Link>
      </div>
      {selectedRows.length > 0 && (
        <div className="flex flex-wrap items-center gap-2 border-b border-line bg-accent-wash px-3 py-1.5 text-[13px]">
          <span>
            {isAll
              ? `All ${formatCount(total)} that match selected`
              : `${formatCount(selectedRows.length)} selected`}
          </span>
          {!isAll && total > rows.data!.rows.length && selectedRows.length === rows.data!.rows.length && (
            <Button small look="ghost" onClick={() => setAll(true)}>
              Select all {formatCount(total)} that match
            </Button>
          )}
          <Button small refused={moveRefused} onClick={() => setMoving(true)}>
            Move
          </Button>
          <MoveDialog
            open={isMoving}
            onClose={() => setMoving(false)}
            from={ref}
            team={team}
            experiments={selectedRows}
            {...(isAll ? { all: { total, query } } : {})}
            onMoved={() => {
              setSelected(new Set())
              setAll(false)
            }}
          />
          {!isAll && (
            <ExperimentActions
              small
              team={team}
              experiments={selectedRows}
              onDeleted={() => setSelected(new Set())}
              before={
                <>
                  <Button
                    small
                    refused={
                      selectedRows.length < 2
                        ? 'Select at least two experiments to compare'
                        : selectedRows.length > compareMax
                          ? `At most ${compareMax} side by side`
                          : undefined
                    }
                    onClick={() => change({ compare: selectedRows.map((row) => row.slug).join(','), page })}
                  >
                    Compare
                  </Button>
                  <Link
                    to="/$team/$project"
                    params={ref}
                    search={{ show: selectedRows.map((row) => row.slug).join(',') }}
                    className="inline-flex h-7 items-center gap-1.5 rounded-md border border-line-strong bg-surface px-2 font-medium hover:bg-hover"
                  >
                    <ChartIcon /> Draw
                  </Link>
                </>
              }
            />
          )}
          <Button
            small
            look="ghost"
            onClick={() => {
              setSelected(new Set())
              setAll(false)
            }}
          >
            Clear
          </Button>
        </div>
      )}
      {rows.isError && <Problem error={rows.error} retry={() => void rows.refetch()} />}
      {rows.isPending && <SkeletonRows rows={14} />}
      {rows.data !== undefined && total === 0 && (
        <p className="p-4 text-ink-faint">No experiment fits the search and the filters.</p>
      )}
      {rows.data !== undefined && total > 0 && (
        <ExperimentTable
          rows={rows.data.rows}
          columns={chosen}
          sort={sort}
          onSort={(column) => {
            const next = sortToText({
              column,
              descending:
                sort.column === column
                  ? !sort.descending
                  : column.startsWith('summary.') || column === 'created_at',
            })
            change({ sort: next === defaultSort ? undefined : next })
          }}
          selected={selected}
          onSelect={select}
          stale={rows.isPlaceholderData}
        />
      )}
      <div className="flex items-center gap-2 border-t border-line px-3 py-1.5 text-[13px] text-ink-soft">
        <span>
          {total === 0
            ? '0'
            : `${formatCount((page - 1) * pageSize + 1)}–${formatCount(Math.min(page * pageSize, total))}`}{' '}
          of {formatCount(total)}
        </span>
        <span className="ml-auto flex gap-1">
          <Button small disabled={page <= 1} onClick={() => change({ page: page - 1 })}>
            Previous
          </Button>
          <Button small disabled={page >= pages} onClick={() => change({ page: page + 1 })}>
            Next
          </Button>
        </span>
      </div>
      <CompareDialog
        project={ref}
        slugs={search.compare?.split(',').slice(0, compareMax) ?? []}
        onClose={() => change({ compare: undefined, page })}
      />
    </div>
  )
}
