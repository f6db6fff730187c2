import { useVirtualizer } from '@tanstack/react-virtual'
import { type ReactNode, useMemo, useRef, useState } from 'react'
import { exactValue, formatCount, formatValue } from '../lib/format.ts'
import { Input } from './field.tsx'
import { SortDownIcon, SortUpIcon } from './icons.tsx'

const rowHeight = 29

/**
 * Rows of values with sort and filter in the browser, drawn only where in sight.
 *
 * @param cell draws a value that is more than text, e.g. a picture; undefined falls back to text.
 * @param tall height of a row in pixels when cells hold pictures.
 */
export function DataTable({
  columns,
  rows,
  label,
  cell,
  tall,
}: {
  columns: readonly string[]
  rows: readonly (readonly unknown[])[]
  label: string
  cell?: (value: unknown) => ReactNode
  tall?: number
}) {
  const scroller = useRef<HTMLDivElement>(null)
  const [sort, setSort] = useState<{ column: number; descending: boolean }>()
  const [typed, setTyped] = useState('')
  const shown = useMemo(() => {
    const words = typed.toLowerCase()
    const kept =
      words === ''
        ? rows
        : rows.filter((row) => row.some((value) => formatValue(value).toLowerCase().includes(words)))
    if (sort === undefined) return kept
    const sign = sort.descending ? -1 : 1
    return kept.toSorted((a, b) => sign * compareValues(a[sort.column], b[sort.column]))
  }, [rows, typed, sort])
  // No compiler memoizes here, so the functions of the virtualizer are always fresh.
  // oxlint-disable-next-line react/incompatible-library
  const virtual = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => tall ?? rowHeight,
    overscan: 8,
  })
  const items = virtual.getVirtualItems()
  const before = items[0]?.start ?? 0
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? 0)
  return (
    <div className="flex min-h-0 flex-col">
      <div className="flex items-center gap-2 border-b border-line px-2 py-1.5">
        <Input
          small
          type="search"
          aria-label={`Filter rows of ${label}`}
          placeholder="Filter rows"
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          className="w-44"
        />
        <span className="text-xs text-ink-faint">
          {shown.length === rows.length
            ? formatCount(rows.length)
            : `${formatCount(shown.length)} of ${formatCount(rows.length)}`}{' '}
          rows
        </span>
      </div>
      <div
        ref={scroller}
        className="scroll-quiet max-h-[60vh] overflow-auto"
        tabIndex={0}
        role="region"
        aria-label={label}
      >
        <table className="w-max min-w-full border-separate border-spacing-0 text-[13px]">
          <thead>
            <tr>
              {columns.map((column, i) => (
                <th
                  key={i}
                  scope="col"
                  aria-sort={sort?.column === i ? (sort.descending ? 'descending' : 'ascending') : 'none'}
                  className="sticky top-0 z-10 border-b border-line bg-surface text-left text-xs font-medium text-ink-faint"
                >
                  <button
                    type="button"
                    className="flex h-7 w-full items-center gap-1 px-2.5 hover:text-ink"
                    onClick={() =>
                      setSort({ column: i, descending: sort?.column === i ? !sort.descending : false })
                    }
                  >
                    <span className="max-w-48 truncate">{column}</span>
                    {sort?.column === i &&
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
            {before > 0 && <tr aria-hidden style={{ height: before }} />}
            {items.map((item) => (
              <tr key={item.key} className="hover:bg-hover" style={{ height: tall ?? rowHeight }}>
                {columns.map((_, i) => {
                  const value = shown[item.index]![i]
                  return (
                    <td
                      key={i}
                      className="max-w-80 truncate border-b border-line px-2.5"
                      title={typeof value === 'object' ? undefined : exactValue(value)}
                    >
                      {cell?.(value) ?? formatValue(value)}
                    </td>
                  )
                })}
              </tr>
            ))}
            {after > 0 && <tr aria-hidden style={{ height: after }} />}
          </tbody>
        </table>
      </div>
    </div>
  )
}

/** Numbers by size, also when they came as text; everything else by name; nothing last. */
export function compareValues(a: unknown, b: unknown): number {
  if (a === b) return 0
  if (a === null || a === undefined || a === '') return 1
  if (b === null || b === undefined || b === '') return -1
  const numbers = [Number(a), Number(b)] as const
  if (!Number.isNaN(numbers[0]) && !Number.isNaN(numbers[1])) return numbers[0] - numbers[1]
  return formatValue(a).localeCompare(formatValue(b), 'en', { numeric: true })
}
