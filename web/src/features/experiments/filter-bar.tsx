import { type Filter, FilterOperator } from '@teamgrid/api'
import { useState } from 'react'
import { Button } from '../../ui/button.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Field, Input, Select } from '../../ui/field.tsx'
import { CloseIcon, FilterIcon } from '../../ui/icons.tsx'
import {
  builtInColumns,
  columnWords,
  filtersFromText,
  filtersToText,
  filterWords,
  needsValue,
  operatorWords,
  textValue,
  valueText,
} from './filters.ts'

export type KnownColumn = { column: string; numeric: boolean }

const stateChoices = [
  'pending',
  'running',
  'finished',
  'failed',
  'crashed',
  'killed',
  'preempting',
  'preempted',
]
const instants = new Set(['created_at', 'heartbeat_at', 'ended_at'])

/** The chosen filters as chips, and the window in which one is made or changed. */
export function FilterBar({
  where,
  onChange,
  columns,
}: {
  where: string | undefined
  onChange: (where: string | undefined) => void
  columns: readonly KnownColumn[]
}) {
  const filters = filtersFromText(where ?? '')
  const [editing, setEditing] = useState<number>()
  const apply = (next: Filter[]) => onChange(next.length === 0 ? undefined : filtersToText(next))
  return (
    <div className="flex flex-wrap items-center gap-1.5">
      <Button small onClick={() => setEditing(filters.length)} aria-label="Add a filter">
        <FilterIcon /> Filter
      </Button>
      {filters.map((filter, i) => (
        <span
          key={i}
          className="inline-flex h-7 max-w-full items-center rounded-md border border-accent/30 bg-accent-wash text-[13px] text-accent"
        >
          <button type="button" className="min-w-0 truncate pl-2" onClick={() => setEditing(i)}>
            {filterLabel(filter)}
          </button>
          <button
            type="button"
            aria-label={`Remove filter ${filterWords(filter)}`}
            className="px-1.5"
            onClick={() => apply(filters.toSpliced(i, 1))}
          >
            <CloseIcon className="size-3" />
          </button>
        </span>
      ))}
      <Dialog open={editing !== undefined} onClose={() => setEditing(undefined)} title="Filter experiments">
        {editing !== undefined && (
          <FilterForm
            filter={filters[editing]}
            columns={columns}
            onDone={(filter) => {
              apply(filters.toSpliced(editing, 1, filter))
              setEditing(undefined)
            }}
          />
        )}
      </Dialog>
    </div>
  )
}

function filterLabel(filter: Filter): string {
  return instants.has(filter.column) && typeof filter.value === 'number'
    ? filterWords({ ...filter, value: new Date(filter.value).toLocaleString() })
    : filterWords(filter)
}

function FilterForm({
  filter,
  columns,
  onDone,
}: {
  filter: Filter | undefined
  columns: readonly KnownColumn[]
  onDone: (filter: Filter) => void
}) {
  const [column, setColumn] = useState(filter?.column ?? 'state')
  const [op, setOp] = useState<Filter['op']>(filter?.op ?? 'eq')
  const [value, setValue] = useState(() => initialText(filter))
  const choosesState = column === 'state' && (op === 'eq' || op === 'ne')
  const isInstant = instants.has(column)
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault()
        onDone({
          column,
          op,
          ...(needsValue(op)
            ? { value: readValue(column, op, choosesState && value === '' ? 'running' : value) }
            : {}),
        })
      }}
    >
      <Field label="Column" help="A built-in field, or a key such as config.lr or summary.loss.">
        {(props) => (
          <>
            <Input
              {...props}
              list="filter-columns"
              value={column}
              onChange={(event) => setColumn(event.target.value)}
              required
              autoFocus
              spellCheck={false}
            />
            <datalist id="filter-columns">
              {builtInColumns.map((each) => (
                <option key={each} value={each}>
                  {columnWords(each)}
                </option>
              ))}
              {columns.map((each) => (
                <option key={each.column} value={each.column} />
              ))}
            </datalist>
          </>
        )}
      </Field>
      <Field label="Condition">
        {(props) => (
          <Select {...props} value={op} onChange={(event) => setOp(FilterOperator.parse(event.target.value))}>
            {FilterOperator.options.map((each) => (
              <option key={each} value={each}>
                {operatorWords[each]}
              </option>
            ))}
          </Select>
        )}
      </Field>
      {needsValue(op) && (
        <Field
          label="Value"
          help={
            op === 'in' ? 'Several, separated by commas.' : 'Put digits between quotes ("42") to mean text.'
          }
        >
          {(props) =>
            choosesState ? (
              <Select
                {...props}
                value={value || 'running'}
                onChange={(event) => setValue(event.target.value)}
              >
                {stateChoices.map((each) => (
                  <option key={each}>{each}</option>
                ))}
              </Select>
            ) : (
              <Input
                {...props}
                type={isInstant && op !== 'in' ? 'datetime-local' : 'text'}
                value={value}
                onChange={(event) => setValue(event.target.value)}
                required
              />
            )
          }
        </Field>
      )}
      <Button type="submit" look="primary" className="self-end">
        Apply
      </Button>
    </form>
  )
}

function initialText(filter: Filter | undefined): string {
  if (filter?.value === undefined) return ''
  if (Array.isArray(filter.value)) return filter.value.map(valueText).join(', ')
  if (instants.has(filter.column) && typeof filter.value === 'number') {
    const local = new Date(filter.value - new Date(filter.value).getTimezoneOffset() * 60_000)
    return local.toISOString().slice(0, 16)
  }
  return valueText(filter.value)
}

function readValue(column: string, op: Filter['op'], typed: string): NonNullable<Filter['value']> {
  if (op === 'in') {
    return typed
      .split(',')
      .map((each) => textValue(each.trim()))
      .map((each) => (typeof each === 'boolean' ? String(each) : each))
  }
  if (instants.has(column)) return new Date(typed).getTime()
  return textValue(typed)
}
