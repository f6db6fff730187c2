import { useState } from 'react'
import { Button } from '../../ui/button.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Checkbox, Input } from '../../ui/field.tsx'
import { ColumnsIcon } from '../../ui/icons.tsx'
import type { KnownColumn } from './filter-bar.tsx'
import { columnWords } from './filters.ts'
import { byName, matcher } from './panels.ts'

const pickableBuiltIns = [
  'creator',
  'created_at',
  'duration',
  'tags',
  'group',
  'job_type',
  'sweep',
  'notes',
  'host',
  'heartbeat_at',
  'ended_at',
]

/** Which columns the table shows, over any config and summary key of the project. */
export function ColumnPicker({
  chosen,
  known,
  onChange,
}: {
  chosen: readonly string[]
  known: readonly KnownColumn[]
  onChange: (columns: string[]) => void
}) {
  const [open, setOpen] = useState(false)
  const [typed, setTyped] = useState('')
  const fits = matcher(typed)
  const groups = [
    { label: 'Built in', columns: pickableBuiltIns },
    {
      label: 'Summary',
      columns: known
        .map((each) => each.column)
        .filter((each) => each.startsWith('summary.') && !/^summary\._(?:wandb|timestamp)/.test(each))
        .toSorted(byName),
    },
    {
      label: 'Config',
      columns: known
        .map((each) => each.column)
        .filter((each) => each.startsWith('config.'))
        .toSorted(byName),
    },
  ]
  const toggle = (column: string) =>
    onChange(chosen.includes(column) ? chosen.filter((each) => each !== column) : [...chosen, column])
  return (
    <>
      <Button small onClick={() => setOpen(true)}>
        <ColumnsIcon /> Columns
      </Button>
      <Dialog open={open} onClose={() => setOpen(false)} title="Columns">
        <Input
          small
          type="search"
          aria-label="Find columns"
          placeholder="Find columns (regex)"
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          className="mb-3 w-full"
          autoFocus
        />
        <div className="max-h-[52vh] overflow-auto">
          {groups.map((group) => {
            const columns = group.columns.filter(fits)
            if (columns.length === 0) return null
            return (
              <fieldset key={group.label} className="mb-3">
                <legend className="mb-1 text-xs font-medium text-ink-faint">{group.label}</legend>
                {columns.slice(0, 300).map((column) => (
                  <Checkbox
                    key={column}
                    className="flex w-full py-0.5"
                    label={<span className="truncate">{columnWords(column)}</span>}
                    checked={chosen.includes(column)}
                    onChange={() => toggle(column)}
                  />
                ))}
                {columns.length > 300 && (
                  <p className="text-xs text-ink-faint">and {columns.length - 300} more; type to find them</p>
                )}
              </fieldset>
            )
          })}
        </div>
      </Dialog>
    </>
  )
}
