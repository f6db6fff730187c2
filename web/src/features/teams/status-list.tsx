import type { StatusRow } from '@teamgrid/api'
import { Link } from '@tanstack/react-router'
import { formatDuration } from '../../lib/format.ts'
import { Tag } from '../../ui/feedback.tsx'
import { Ago } from '../../ui/time.tsx'

const tones = {
  queued: 'plain',
  running: 'accent',
  succeeded: 'good',
  failed: 'bad',
  cancelled: 'warn',
} as const
const shapes = { queued: '○', running: '●', succeeded: '✓', failed: '✕', cancelled: '■' } as const

/** What runs now, or ran lately, one line per run. */
export function StatusList({ rows, none }: { rows: readonly StatusRow[]; none: string }) {
  if (rows.length === 0) return <p className="px-4 py-3 text-[13px] text-ink-faint">{none}</p>
  return (
    <ul className="divide-y divide-line">
      {rows.map((row) => (
        <li
          key={`${row.team}/${row.project}/${row.run}/${row.createdAt}`}
          className="flex items-center gap-3 px-4 py-2 text-[13px] hover:bg-hover"
        >
          <Tag tone={tones[row.status]}>
            <span aria-hidden className="mr-1">
              {shapes[row.status]}
            </span>
            {row.status}
          </Tag>
          <Link
            to="/$team/$project"
            params={{ team: row.team, project: row.project }}
            search={row.experiments > 1 ? { where: `group:eq:${encodeFilter(row.run)}` } : { q: row.run }}
            className="min-w-0 flex-1 truncate hover:underline"
          >
            <span className="font-medium">{row.run}</span>{' '}
            <span className="text-ink-faint">
              {row.team} / {row.project}
              {row.experiments > 1 ? `, ${row.running + row.queued} of ${row.experiments} open` : ''}
            </span>
          </Link>
          <span className="hidden shrink-0 text-ink-faint sm:inline">{row.createdBy.username}</span>
          <span className="shrink-0 text-right text-ink-soft" title="Duration">
            {formatDuration(row.durationSeconds)}
          </span>
          <span className="hidden w-20 shrink-0 text-right text-ink-faint sm:inline">
            <Ago at={row.createdAt} />
          </span>
        </li>
      ))}
    </ul>
  )
}

/** The escapes that filters use in addresses. */
const encodeFilter = (text: string) =>
  text.replaceAll(/[~:,%]/g, (char) => `%${char.codePointAt(0)!.toString(16)}`)
