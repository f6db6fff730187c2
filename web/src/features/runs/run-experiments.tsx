import type { AttemptState, RunDetails, RunExperiment } from '@teamgrid/api'
import { Link } from '@tanstack/react-router'
import { formatDuration } from '../../lib/format.ts'
import { Tag } from '../../ui/feedback.tsx'
import { PlainTable } from '../../ui/layout.tsx'

const words: Record<AttemptState, { word: string; tone: 'plain' | 'accent' | 'warn' | 'bad' | 'good' }> = {
  created: { word: 'Queued', tone: 'plain' },
  submitting: { word: 'Queued', tone: 'plain' },
  queued: { word: 'Queued', tone: 'plain' },
  starting: { word: 'Starting', tone: 'plain' },
  building: { word: 'Building', tone: 'accent' },
  running: { word: 'Running', tone: 'accent' },
  stopping: { word: 'Stopping', tone: 'warn' },
  syncing: { word: 'Syncing', tone: 'accent' },
  succeeded: { word: 'Succeeded', tone: 'good' },
  failed: { word: 'Failed', tone: 'bad' },
  stopped: { word: 'Stopped', tone: 'warn' },
  timeout: { word: 'Out of time', tone: 'bad' },
  oom: { word: 'Out of memory', tone: 'bad' },
  preempted: { word: 'Preempted', tone: 'warn' },
  lost: { word: 'Lost', tone: 'bad' },
  rejected: { word: 'Rejected', tone: 'bad' },
}

/** A run's experiments side by side, with the parameters that the search chose. */
export function RunExperiments({
  run,
  chosen,
  onChoose,
}: {
  run: RunDetails
  chosen: number
  onChoose: (number: number) => void
}) {
  const names = [...new Set(run.experimentList.flatMap((each) => Object.keys(each.parameters)))]
  return (
    <PlainTable label="Experiments" head={['Experiment', 'State', ...names, 'Waited', 'Ran', 'Why', 'Log']}>
      {run.experimentList.map((each) => (
        <tr key={each.id} className={each.number === chosen ? 'bg-hover' : 'hover:bg-hover'}>
          <td className="max-w-72">
            <Link
              to="/$team/$project/runs/$id"
              params={{ team: run.team, project: run.project, id: each.slug }}
              className="block truncate font-medium hover:underline"
            >
              {each.name}
            </Link>
          </td>
          <td className="whitespace-nowrap">
            <AttemptTag experiment={each} />
          </td>
          {names.map((name) => (
            <td key={name} className="tabular-nums">
              {each.parameters[name] ?? '–'}
            </td>
          ))}
          <td className="whitespace-nowrap tabular-nums">{formatDuration(each.queuedSeconds)}</td>
          <td className="whitespace-nowrap tabular-nums">
            {each.runSeconds > 0 ? formatDuration(each.runSeconds) : '–'}
          </td>
          <td className="max-w-96 text-[13px] text-ink-soft">{each.attempt?.message}</td>
          <td>
            <button
              type="button"
              className="text-accent hover:underline"
              aria-label={`Show the log of ${each.name}`}
              onClick={() => onChoose(each.number)}
            >
              Show
            </button>
          </td>
        </tr>
      ))}
    </PlainTable>
  )
}

function AttemptTag({ experiment }: { experiment: RunExperiment }) {
  const { attempt, stopRequested } = experiment
  const isEnded = experiment.attempt?.endedAt !== null
  const state = stopRequested && !isEnded ? 'stopping' : (attempt?.state ?? 'queued')
  return (
    <span className="flex items-center gap-1.5">
      <Tag tone={words[state].tone}>{words[state].word}</Tag>
      {(attempt?.number ?? 0) > 0 && <span className="text-ink-faint">try {attempt!.number + 1}</span>}
    </span>
  )
}
