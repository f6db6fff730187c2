import type { Run } from '@teamgrid/api'
import { Link } from '@tanstack/react-router'
import { Tag } from '../../ui/feedback.tsx'
import { PlainTable } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'

const words: Record<Run['status'], { word: string; tone: 'plain' | 'accent' | 'warn' | 'bad' | 'good' }> = {
  queued: { word: 'Queued', tone: 'plain' },
  running: { word: 'Running', tone: 'accent' },
  succeeded: { word: 'Succeeded', tone: 'good' },
  failed: { word: 'Failed', tone: 'bad' },
  cancelled: { word: 'Stopped', tone: 'warn' },
}

export function RunStatusTag({ status }: { status: Run['status'] }) {
  return <Tag tone={words[status].tone}>{words[status].word}</Tag>
}

/** How many of a run's experiments stand where, as a bar. */
export function RunProgress({ run }: { run: Run }) {
  const parts = [
    { count: run.completed, colour: 'bg-good', word: 'completed' },
    { count: run.failed, colour: 'bg-bad', word: 'failed' },
    { count: run.stopped, colour: 'bg-warn', word: 'stopped' },
    { count: run.running, colour: 'bg-live', word: 'running' },
    { count: run.queued, colour: 'bg-quiet', word: 'queued' },
  ].filter((part) => part.count > 0)
  const says = parts.map((part) => `${part.count} ${part.word}`).join(', ') || 'no experiments'
  const whole = Math.max(run.experiments, 1)
  return (
    <span className="flex items-center gap-2 whitespace-nowrap" title={says}>
      <span aria-hidden className="flex h-1.5 w-24 overflow-hidden rounded-full bg-sunken ring-1 ring-line">
        {parts.map((part) => (
          <span key={part.word} className={part.colour} style={{ width: `${(100 * part.count) / whole}%` }} />
        ))}
      </span>
      <span className="tabular-nums">
        {run.completed + run.failed + run.stopped} of {run.experiments}
      </span>
      <span className="sr-only">{says}</span>
    </span>
  )
}

/** The runs of a team. */
export function RunTable({ runs }: { runs: readonly Run[] }) {
  return (
    <PlainTable
      label="Runs"
      head={['Run', 'Status', 'Experiments', 'Command', 'Cluster', 'Creator', 'Created']}
    >
      {runs.map((run) => (
        <tr key={run.id} className="hover:bg-hover">
          <td className="max-w-72">
            <Link
              to="/teams/$team/runs/$run"
              params={{ team: run.team, run: run.name }}
              className="block truncate font-medium hover:underline"
            >
              {run.name}
            </Link>
          </td>
          <td>
            <RunStatusTag status={run.status} />
          </td>
          <td>
            <RunProgress run={run} />
          </td>
          <td className="max-w-80">
            <code className="block truncate text-[13px]" title={run.command}>
              {run.command}
            </code>
          </td>
          <td>{run.cluster}</td>
          <td>{run.createdBy.username}</td>
          <td className="whitespace-nowrap text-ink-soft">
            <Ago at={run.createdAt} />
          </td>
        </tr>
      ))}
    </PlainTable>
  )
}
