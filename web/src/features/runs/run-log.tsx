import type { RunDetails } from '@teamgrid/api'
import { useQuery } from '@tanstack/react-query'
import { api } from '../../lib/client.ts'
import { Problem, SkeletonRows } from '../../ui/feedback.tsx'
import { buildLogQuery } from './queries.ts'

const linesShown = 500

/** The newest lines of one experiment of a run: how it was prepared, and what it prints. */
export function RunLog({ run, number }: { run: RunDetails; number: number }) {
  const experiment = run.experimentList.find((each) => each.number === number)
  const build = useQuery(buildLogQuery({ team: run.team, run: run.name, number }))
  const output = useQuery(
    api.experiments.console.queryOptions({
      input: {
        team: run.team,
        project: run.project,
        experiment: experiment?.slug ?? '',
        last: true,
        limit: linesShown,
      },
      enabled: experiment !== undefined,
      meta: {
        live: {
          on: ['console.written', 'experiment.changed'],
          ...(experiment ? { experiments: [experiment.id] } : {}),
        },
      },
    }),
  )
  if (experiment === undefined) return null
  if (build.isError) return <Problem error={build.error} retry={() => void build.refetch()} />
  if (build.data === undefined) return <SkeletonRows rows={4} />
  return (
    <div
      role="log"
      aria-label={`Log of ${experiment.name}`}
      className="max-h-96 overflow-auto bg-sunken p-3 font-mono text-[13px] leading-5"
    >
      {build.data.lines.map((line, index) => (
        <p key={index} className="whitespace-pre-wrap break-words text-ink-faint">
          {line.text}
        </p>
      ))}
      {output.data?.lines.map((line) => (
        <p key={line.line} className="whitespace-pre-wrap break-words">
          {line.text}
        </p>
      ))}
    </div>
  )
}
