import { Select } from '../../ui/field.tsx'
import { SortDownIcon, SortUpIcon } from '../../ui/icons.tsx'
import { IconButton } from '../../ui/button.tsx'
import { LazyInput } from './chart-toolbar.tsx'
import { FilterBar, type KnownColumn } from './filter-bar.tsx'
import { columnWords, sortFromText, sortToText } from './filters.ts'

export const defaultSort = '-created_at'

export type ListView = { q?: string; where?: string; sort?: string }

/** Search, filters and order above the list of experiments. */
export function ListControls({
  view,
  change,
  columns,
}: {
  view: ListView
  change: (next: Partial<ListView>) => void
  columns: readonly KnownColumn[]
}) {
  const sort = sortFromText(view.sort ?? defaultSort)
  const setSort = (column: string, descending: boolean) => {
    const next = sortToText({ column, descending })
    change({ sort: next === defaultSort ? undefined : next })
  }
  const groups = [
    { label: 'Built in', columns: ['created_at', 'name', 'state', 'creator', 'duration'] },
    {
      label: 'Summary',
      columns: columns.map((each) => each.column).filter((each) => each.startsWith('summary.')),
    },
    {
      label: 'Config',
      columns: columns.map((each) => each.column).filter((each) => each.startsWith('config.')),
    },
  ]
  return (
    <div className="flex flex-col gap-2">
      <LazyInput
        label="Search experiments"
        placeholder="Search name, tag, note, /regex/"
        value={view.q ?? ''}
        onChange={(q) => change({ q: q === '' ? undefined : q })}
        className="w-full"
      />
      <div className="flex items-center gap-1">
        <Select
          small
          aria-label="Sort by"
          className="min-w-0 flex-1"
          value={sort.column}
          onChange={(event) => setSort(event.target.value, sort.descending)}
        >
          {groups
            .filter((group) => group.columns.length > 0)
            .map((group) => (
              <optgroup key={group.label} label={group.label}>
                {group.columns.map((column) => (
                  <option key={column} value={column}>
                    {columnWords(column)}
                  </option>
                ))}
              </optgroup>
            ))}
          {!groups.some((group) => group.columns.includes(sort.column)) && (
            <option value={sort.column}>{columnWords(sort.column)}</option>
          )}
        </Select>
        <IconButton
          label={sort.descending ? 'Descending; press for ascending' : 'Ascending; press for descending'}
          onClick={() => setSort(sort.column, !sort.descending)}
        >
          {sort.descending ? <SortDownIcon /> : <SortUpIcon />}
        </IconButton>
      </div>
      <FilterBar where={view.where} onChange={(where) => change({ where })} columns={columns} />
    </div>
  )
}
