import { type Team, type Usage, type UsageGroup, usageGroups } from '@teamgrid/api'
import { useQuery } from '@tanstack/react-query'
import { saveFile } from '../../charts/export.ts'
import { formatDuration } from '../../lib/format.ts'
import { Button } from '../../ui/button.tsx'
import { EmptyState, Problem, SkeletonRows, Tag } from '../../ui/feedback.tsx'
import { Input, Select } from '../../ui/field.tsx'
import { PlainTable, Section } from '../../ui/layout.tsx'
import { Segmented } from '../../ui/tabs.tsx'
import { useNow } from '../../ui/time.tsx'
import { UsageBars } from './bars.tsx'
import { usageQuery } from './queries.ts'
import { type Days, formatCredits, groupWords, presets, rangeOf, usageCsv } from './words.ts'

/** What stands in the address bar. */
export type UsageSearch = Days & { by?: UsageGroup }

/** Who and what used how much, as a chart by day, a table and a file. */
export function UsageSection({
  team,
  search,
  onSearch,
}: {
  team: Team
  search: UsageSearch
  onSearch: (next: UsageSearch) => void
}) {
  const by = search.by ?? 'person'
  const usage = useQuery(usageQuery({ team: team.slug, by, ...rangeOf(search) }))
  const save = (of: Usage) =>
    saveFile(
      `usage-${team.slug}-${of.from.slice(0, 10)}-by-${by}.csv`,
      usageCsv(team.slug, by, of),
      'text/csv',
    )
  return (
    <Section
      title="Usage"
      says="by day of UTC"
      flush
      actions={
        <Button
          small
          disabled={usage.data === undefined || usage.data.rows.length === 0}
          onClick={() => save(usage.data!)}
        >
          CSV
        </Button>
      }
    >
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2 border-b border-line px-4 py-2">
        <Range search={search} onSearch={onSearch} />
        <div className="scroll-quiet ml-auto max-w-full overflow-x-auto max-sm:ml-0">
          <Segmented
            label="Usage by"
            value={by}
            choices={usageGroups.map((value) => ({ value, label: groupWords[value] }))}
            onChange={(next) => onSearch({ ...search, by: next })}
          />
        </div>
      </div>
      {usage.isError && <Problem error={usage.error} retry={() => void usage.refetch()} />}
      {usage.isPending && <SkeletonRows rows={6} />}
      {usage.data !== undefined && !usage.isError && (
        <div aria-busy={usage.isPlaceholderData} className={usage.isPlaceholderData ? 'opacity-60' : ''}>
          {usage.data.rows.length === 0 ? (
            <EmptyState
              title="No machine was used in this time"
              says={
                <>
                  Everything that runs on a cluster of this server is counted here by the second:{' '}
                  <code className="font-mono text-[13px]">grid run script.py</code> starts something. For
                  earlier work choose another month.
                </>
              }
            />
          ) : (
            <>
              <UsageBars usage={usage.data} />
              <UsageTable by={by} usage={usage.data} />
            </>
          )}
        </div>
      )}
    </Section>
  )
}

function Range({ search, onSearch }: { search: UsageSearch; onSearch: (next: UsageSearch) => void }) {
  const { since, until, ...rest } = search
  const choices = presets(useNow(60))
  const chosen = choices.find(({ days }) => days.since === since && days.until === until)
  const set = (key: 'since' | 'until', day: string) => {
    const { [key]: _, ...others } = search
    onSearch(day === '' ? others : { ...search, [key]: day })
  }
  return (
    <div className="flex flex-wrap items-center gap-2">
      <Select
        small
        aria-label="Time"
        value={chosen?.id ?? ''}
        onChange={(event) => {
          const next = choices.find(({ id }) => id === event.target.value)
          if (next !== undefined) onSearch({ ...rest, ...next.days })
        }}
      >
        {chosen === undefined && <option value="">Other days</option>}
        {choices.map(({ id, label }) => (
          <option key={id} value={id}>
            {label}
          </option>
        ))}
      </Select>
      <label className="flex items-center gap-1 text-xs text-ink-faint">
        from
        <Input small type="date" value={since ?? ''} onChange={(event) => set('since', event.target.value)} />
      </label>
      <label className="flex items-center gap-1 text-xs text-ink-faint">
        to
        <Input small type="date" value={until ?? ''} onChange={(event) => set('until', event.target.value)} />
      </label>
    </div>
  )
}

function UsageTable({ by, usage }: { by: UsageGroup; usage: Usage }) {
  const { total } = usage
  // Where machines cost nothing, time is what tells who used most.
  const measure = total.microcredits > 0 ? 'microcredits' : 'seconds'
  return (
    <PlainTable label="Usage" head={[groupWords[by], 'Stays', 'Time', 'GPU time', 'Credits', 'Share']}>
      {usage.rows.map((row) => {
        const share = total[measure] === 0 ? 0 : row[measure] / total[measure]
        return (
          <tr key={row.name} className="tabular-nums hover:bg-hover">
            <td className="max-w-72 truncate font-medium" title={row.name}>
              {row.name}
            </td>
            <td>{row.stays}</td>
            <td className="whitespace-nowrap">{formatDuration(row.seconds)}</td>
            <td className="whitespace-nowrap">{row.gpuSeconds > 0 && formatDuration(row.gpuSeconds)}</td>
            <td className="whitespace-nowrap">
              <span className="inline-flex items-center gap-2">
                {formatCredits(row.microcredits)}
                {row.isEstimate && (
                  <span title="Something of it still runs, so the amount grows">
                    <Tag>estimate</Tag>
                  </span>
                )}
              </span>
            </td>
            <td className="w-40 min-w-28">
              <span className="flex items-center gap-2">
                <span aria-hidden className="h-1.5 flex-1 overflow-hidden rounded bg-sunken">
                  <span className="block h-full bg-accent" style={{ width: `${share * 100}%` }} />
                </span>
                <span className="w-9 text-right text-ink-soft">{Math.round(share * 100)} %</span>
              </span>
            </td>
          </tr>
        )
      })}
      <tr className="font-medium tabular-nums">
        <td>Together</td>
        <td>{total.stays}</td>
        <td className="whitespace-nowrap">{formatDuration(total.seconds)}</td>
        <td className="whitespace-nowrap">{total.gpuSeconds > 0 && formatDuration(total.gpuSeconds)}</td>
        <td className="whitespace-nowrap">{formatCredits(total.microcredits)}</td>
        <td />
      </tr>
    </PlainTable>
  )
}
