import type { ExperimentQuery, ExperimentRow } from '@teamgrid/api'
import { useQueries, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useVirtualizer } from '@tanstack/react-virtual'
import { useRef } from 'react'
import { formatCount, formatDuration } from '../../lib/format.ts'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { EyeIcon, EyeOffIcon } from '../../ui/icons.tsx'
import { type ProjectRef, rowsQuery } from './queries.ts'
import { StateShape, stateWord } from './state.tsx'

export const listPageSize = 100
const rowHeight = 32

/** All experiments of a project, however many: rows in sight are drawn, and only their pages are asked for. */
export function ExperimentList({
  project,
  query,
  colours,
  onToggle,
}: {
  project: ProjectRef
  query: Pick<ExperimentQuery, 'search' | 'filters' | 'sort'>
  /** Colours of the experiments that are drawn, by slug. */
  colours: ReadonlyMap<string, string>
  onToggle: (slug: string) => void
}) {
  const scroller = useRef<HTMLDivElement>(null)
  const first = useQuery(rowsQuery(project, { ...query, offset: 0, limit: listPageSize }))
  const total = first.data?.total ?? 0
  // No compiler memoizes here, so the functions of the virtualizer are always fresh.
  // oxlint-disable-next-line react/incompatible-library
  const virtual = useVirtualizer({
    count: total,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 10,
  })
  const items = virtual.getVirtualItems()
  const pages = [...new Set(items.map((item) => Math.floor(item.index / listPageSize)))].filter(
    (page) => page > 0,
  )
  const more = useQueries({
    queries: pages.map((page) =>
      rowsQuery(project, { ...query, offset: page * listPageSize, limit: listPageSize }),
    ),
  })
  const rowAt = (index: number): ExperimentRow | undefined => {
    const page = Math.floor(index / listPageSize)
    const rows = page === 0 ? first.data?.rows : more[pages.indexOf(page)]?.data?.rows
    return rows?.[index % listPageSize]
  }
  if (first.isPending) return <SkeletonRows rows={12} />
  if (first.isError) return <Problem error={first.error} retry={() => void first.refetch()} />
  if (total === 0)
    return (
      <p className="px-4 py-6 text-[13px] text-ink-faint">No experiment fits the search and the filters.</p>
    )
  return (
    <>
      <div className="px-3 pb-1 text-xs text-ink-faint">
        {formatCount(total)} {total === 1 ? 'experiment' : 'experiments'}, {colours.size} drawn
      </div>
      <div
        ref={scroller}
        className="scroll-quiet min-h-0 flex-1 overflow-auto"
        role="list"
        aria-label="Experiments"
      >
        <div className="relative w-full" style={{ height: virtual.getTotalSize() }}>
          {items.map((item) => {
            const row = rowAt(item.index)
            return (
              <div
                key={item.key}
                role="listitem"
                className="absolute inset-x-0"
                style={{ height: rowHeight, transform: `translateY(${item.start}px)` }}
              >
                {row === undefined ? (
                  <div className="skeleton mx-3 my-2 h-4" />
                ) : (
                  <Row row={row} colour={colours.get(row.slug)} onToggle={onToggle} />
                )}
              </div>
            )
          })}
        </div>
      </div>
    </>
  )
}

function Row({
  row,
  colour,
  onToggle,
}: {
  row: ExperimentRow
  colour: string | undefined
  onToggle: (slug: string) => void
}) {
  const shown = colour !== undefined
  return (
    <div className="group flex h-full items-center gap-2 pr-3 pl-1.5 hover:bg-hover">
      <button
        type="button"
        aria-pressed={shown}
        aria-label={`${shown ? 'Hide' : 'Draw'} ${row.name}`}
        title={shown ? 'Hide from the charts' : 'Draw in the charts'}
        onClick={() => onToggle(row.slug)}
        className="grid size-7 shrink-0 place-items-center rounded text-ink-faint hover:text-ink"
      >
        <span className="group-hover:hidden group-focus-within:hidden">
          {shown ? (
            <span className="block size-2.5 rounded-full" style={{ background: colour }} />
          ) : (
            <span className="block size-2.5 rounded-full border border-line-strong" />
          )}
        </span>
        <span
          className="hidden group-hover:block group-focus-within:block"
          style={shown ? { color: colour } : {}}
        >
          {shown ? <EyeIcon /> : <EyeOffIcon />}
        </span>
      </button>
      <Link
        to="/$team/$project/runs/$id"
        params={{ team: row.team, project: row.project, id: row.slug }}
        title={`${row.name}\n${stateWord(row.state)}, by ${row.createdBy.username}${row.tags.length > 0 ? `\n${row.tags.join(', ')}` : ''}`}
        className={`min-w-0 flex-1 truncate text-[13px] hover:underline ${shown ? '' : 'text-ink-soft'}`}
      >
        {row.name}
      </Link>
      <span className="shrink-0 text-xs text-ink-faint">{formatDuration(row.durationSeconds)}</span>
      <span title={stateWord(row.state)}>
        <StateShape state={row.state} />
        <span className="sr-only">{stateWord(row.state)}</span>
      </span>
    </div>
  )
}
