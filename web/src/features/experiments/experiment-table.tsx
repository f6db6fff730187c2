import type { ExperimentRow } from '@teamgrid/api'
import { Link } from '@tanstack/react-router'
import { exactValue, formatDuration, formatValue } from '../../lib/format.ts'
import { Tag } from '../../ui/feedback.tsx'
import { SortDownIcon, SortUpIcon } from '../../ui/icons.tsx'
import { Ago } from '../../ui/time.tsx'
import { columnWords, type Sort } from './filters.ts'
import { StateBadge } from './state.tsx'

/** Experiments as rows with the chosen columns; a press on a heading sorts on the server. */
export function ExperimentTable({
  rows,
  columns,
  sort,
  onSort,
  selected,
  onSelect,
  stale,
}: {
  rows: readonly ExperimentRow[]
  columns: readonly string[]
  sort: Sort
  onSort: (column: string) => void
  selected: ReadonlySet<string>
  onSelect: (slugs: readonly string[], on: boolean) => void
  stale: boolean
}) {
  const all = rows.length > 0 && rows.every((row) => selected.has(row.slug))
  return (
    <div
      className={`scroll-quiet min-h-0 flex-1 overflow-auto transition-opacity ${stale ? 'opacity-60' : ''}`}
    >
      <table
        aria-label="Experiments"
        className="w-max min-w-full border-separate border-spacing-0 text-[13px]"
      >
        <thead>
          <tr>
            <th scope="col" className="sticky top-0 left-0 z-20 w-9 border-b border-line bg-surface px-2.5">
              <input
                type="checkbox"
                aria-label="Select all on this page"
                className="size-4 accent-(--accent)"
                checked={all}
                onChange={() =>
                  onSelect(
                    rows.map((row) => row.slug),
                    !all,
                  )
                }
              />
            </th>
            {['name', 'state', ...columns].map((column) => (
              <th
                key={column}
                scope="col"
                aria-sort={sort.column === column ? (sort.descending ? 'descending' : 'ascending') : 'none'}
                className={`sticky top-0 border-b border-line bg-surface text-left text-xs font-medium whitespace-nowrap text-ink-faint ${column === 'name' ? 'left-9 z-20 max-sm:static' : 'z-10'}`}
              >
                <button
                  type="button"
                  onClick={() => onSort(column)}
                  title={column}
                  className="flex h-8 w-full items-center gap-1 px-2.5 hover:text-ink"
                >
                  <span className="max-w-52 truncate">{columnWords(column)}</span>
                  {sort.column === column &&
                    (sort.descending ? (
                      <SortDownIcon className="size-3" />
                    ) : (
                      <SortUpIcon className="size-3" />
                    ))}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.id} className="group" aria-selected={selected.has(row.slug)}>
              <td
                className={`sticky left-0 z-10 border-b border-line px-2.5 ${cellLook(selected.has(row.slug))}`}
              >
                <input
                  type="checkbox"
                  aria-label={`Select ${row.name}`}
                  className="size-4 accent-(--accent)"
                  checked={selected.has(row.slug)}
                  onChange={(event) => onSelect([row.slug], event.target.checked)}
                />
              </td>
              <td
                className={`sticky left-9 z-10 max-w-72 border-b border-line px-2.5 py-1.5 max-sm:static ${cellLook(selected.has(row.slug))}`}
              >
                <Link
                  to="/$team/$project/runs/$id"
                  params={{ team: row.team, project: row.project, id: row.slug }}
                  className="block max-w-64 truncate font-medium hover:underline"
                  title={row.name}
                >
                  {row.name}
                </Link>
              </td>
              <td className="border-b border-line px-2.5 group-hover:bg-hover">
                <StateBadge state={row.state} stopRequested={row.stopRequested} />
              </td>
              {columns.map((column) => (
                <td
                  key={column}
                  className="max-w-64 truncate border-b border-line px-2.5 group-hover:bg-hover"
                >
                  <Cell row={row} column={column} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

const cellLook = (selected: boolean) => (selected ? 'bg-accent-wash' : 'bg-surface group-hover:bg-hover')

function Cell({ row, column }: { row: ExperimentRow; column: string }) {
  switch (column) {
    case 'creator':
      return (
        <span title={row.createdBy.name}>
          {row.createdBy.username}
          {row.via !== null && <span className="text-ink-faint"> (via {row.via.username})</span>}
        </span>
      )
    case 'created_at':
      return <Ago at={row.createdAt} />
    case 'heartbeat_at':
      return <Ago at={row.heartbeatAt} />
    case 'ended_at':
      return <Ago at={row.endedAt} />
    case 'duration':
      return <span title={`${row.durationSeconds} s`}>{formatDuration(row.durationSeconds)}</span>
    case 'tags':
      return (
        <span className="inline-flex gap-1">
          {row.tags.map((tag) => (
            <Tag key={tag}>{tag}</Tag>
          ))}
        </span>
      )
    case 'notes':
      return <span title={row.notes}>{row.notes}</span>
    case 'group':
      return row.group
    case 'job_type':
      return row.jobType
    case 'sweep':
      return row.sweep === null ? null : (
        <Link
          to="/$team/$project/sweeps/$id"
          params={{ team: row.team, project: row.project, id: row.sweep }}
          className="hover:underline"
        >
          {row.sweep}
        </Link>
      )
    default: {
      const value = row.values[column]
      return value === undefined || value === null ? (
        <span className="text-ink-faint">–</span>
      ) : (
        <span className={typeof value === 'number' ? 'tabular-nums' : ''} title={exactValue(value)}>
          {formatValue(value)}
        </span>
      )
    }
  }
}
