import type { SweepAgent, SweepAnalysis, SweepDetails } from '@teamgrid/api'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useMemo } from 'react'
import { ParallelCoordinates } from '../../charts/parallel-coordinates.tsx'
import { exactValue, formatNumber, formatValue, plural } from '../../lib/format.ts'
import { Tag } from '../../ui/feedback.tsx'
import { PlainTable } from '../../ui/layout.tsx'
import { Ago } from '../../ui/time.tsx'

/** Axes beyond this are thinner than their names. */
const axesMax = 12
const bestRowsMax = 25

/** The most important parameters and the metric, one line for each experiment. */
export function SweepParallel({
  sweep,
  analysis,
  onOpen,
}: {
  sweep: SweepDetails
  analysis: SweepAnalysis
  onOpen: (slug: string) => void
}) {
  const parameters = useMemo(() => analysis.parameters.slice(0, axesMax), [analysis.parameters])
  const dimensions = useMemo(
    () => [
      ...parameters,
      ...(sweep.metric === null
        ? []
        : [{ name: sweep.metric.name, isCategorical: false, isLogarithmic: false }]),
    ],
    [parameters, sweep.metric],
  )
  const lines = useMemo(
    () =>
      analysis.rows
        .filter((row) => sweep.metric === null || row.metric !== null)
        .map((row) => ({
          id: row.slug,
          name: row.name,
          values: [
            ...parameters.map((parameter) => row.values[parameter.name]),
            ...(sweep.metric === null ? [] : [row.metric]),
          ],
        })),
    [analysis.rows, parameters, sweep.metric],
  )
  if (dimensions.length < 2) return <Note>There is nothing to compare: only one thing varies.</Note>
  if (lines.length === 0)
    return (
      <Note>
        {sweep.metric === null
          ? 'No experiments yet.'
          : `As soon as an experiment has logged ${sweep.metric.name}, its line is here.`}
      </Note>
    )
  return (
    <>
      <ParallelCoordinates
        label="Parallel coordinates"
        dimensions={dimensions}
        lines={lines}
        onOpen={(line) => onOpen(line.id)}
      />
      {analysis.parameters.length > axesMax && (
        <Note>
          The {axesMax} most important of {plural(analysis.parameters.length, 'parameter')} are drawn.
        </Note>
      )}
    </>
  )
}

/** How much each parameter mattered, and in which direction. */
export function Importance({ sweep, analysis }: { sweep: SweepDetails; analysis: SweepAnalysis }) {
  if (sweep.metric === null)
    return <Note>Name a metric in the configuration to learn which parameters matter for it.</Note>
  if (analysis.learnedFrom === 0)
    return (
      <Note>
        After some eight experiments with {sweep.metric.name} this shows which parameters mattered for it.
      </Note>
    )
  return (
    <>
      <PlainTable label="Importance of parameters" head={['Parameter', 'Importance', 'Correlation']}>
        {analysis.parameters.map((parameter) => (
          <tr key={parameter.name}>
            <td className="max-w-48 truncate font-mono text-xs" title={parameter.name}>
              {parameter.name}
            </td>
            <td className="w-1/3 min-w-28">
              <Bar share={parameter.importance ?? 0} className="bg-accent">
                {formatNumber(Number((parameter.importance ?? 0).toFixed(3)))}
              </Bar>
            </td>
            <td className="w-1/3 min-w-28">
              {parameter.correlation === null ? (
                <span className="text-ink-faint" title="Its values have no order">
                  –
                </span>
              ) : (
                <Bar
                  share={Math.abs(parameter.correlation)}
                  className={parameter.correlation < 0 ? 'bg-bad' : 'bg-good'}
                >
                  {parameter.correlation > 0 ? '+' : ''}
                  {formatNumber(Number(parameter.correlation.toFixed(2)))}
                </Bar>
              )}
            </td>
          </tr>
        ))}
      </PlainTable>
      <Note>
        Learned from {plural(analysis.learnedFrom, 'experiment')}: how much worse a random forest guesses{' '}
        {sweep.metric.name} when it is not told the parameter. With few experiments, or when the search stayed
        in one corner, take it as a hint. The correlation tells whether {sweep.metric.name} rises (+) or falls
        (−) with it.
      </Note>
    </>
  )
}

function Bar({ share, className, children }: { share: number; className: string; children: ReactNode }) {
  return (
    <span className="flex items-center gap-2">
      <span aria-hidden className="h-2 min-w-0 flex-1 rounded-sm bg-sunken">
        <span
          className={`block h-2 rounded-sm ${className}`}
          style={{ width: `${Math.min(1, share) * 100}%` }}
        />
      </span>
      <span className="w-12 text-right tabular-nums">{children}</span>
    </span>
  )
}

/** The experiments, best first. */
export function BestExperiments({
  sweep,
  analysis,
  stateOf,
}: {
  sweep: SweepDetails
  analysis: SweepAnalysis
  stateOf: (state: SweepAnalysis['rows'][number]['state']) => ReactNode
}) {
  const sign = sweep.metric?.goal === 'maximize' ? -1 : 1
  const rows = analysis.rows
    .toSorted((a, b) => sign * ((a.metric ?? sign * Infinity) - (b.metric ?? sign * Infinity)) || 0)
    .slice(0, bestRowsMax)
  const names = analysis.parameters.slice(0, axesMax).map((parameter) => parameter.name)
  if (rows.length === 0) return <Note>No experiments yet.</Note>
  return (
    <PlainTable
      label="Best experiments"
      head={['Experiment', 'State', ...(sweep.metric === null ? [] : [sweep.metric.name]), ...names]}
    >
      {rows.map((row) => (
        <tr key={row.slug} className="hover:bg-hover">
          <td className="max-w-56">
            <Link
              to="/$team/$project/runs/$id"
              params={{ team: sweep.team, project: sweep.project, id: row.slug }}
              className="flex items-center gap-2 truncate font-medium hover:underline"
            >
              <span className="truncate">{row.name}</span>
              {sweep.best?.slug === row.slug && <Tag tone="good">best</Tag>}
            </Link>
          </td>
          <td>{stateOf(row.state)}</td>
          {sweep.metric !== null && (
            <td className="tabular-nums" title={exactValue(row.metric)}>
              {row.metric === null ? <span className="text-ink-faint">–</span> : formatNumber(row.metric)}
            </td>
          )}
          {names.map((name) => (
            <td key={name} className="max-w-40 truncate tabular-nums" title={exactValue(row.values[name])}>
              {formatValue(row.values[name])}
            </td>
          ))}
        </tr>
      ))}
    </PlainTable>
  )
}

/** What of a large sweep is drawn and learned from; nothing where that is all of it. */
export function OnlySome({ analysis: { rows, newest, total } }: { analysis: SweepAnalysis }) {
  if (total <= rows.length) return null
  const best = rows.length - newest
  return (
    <p className="px-1 pt-2 text-[13px] text-ink-soft">
      Of {formatNumber(total)} experiments these are the newest {formatNumber(newest)}
      {best > 0 && ` and the best ${formatNumber(best)} of the others`}. What mattered is learned from the
      same.
    </p>
  )
}

const agentWords: Record<
  SweepAgent['state'],
  { word: string; tone: 'accent' | 'plain' | 'bad'; says: string }
> = {
  running: { word: 'Running', tone: 'accent', says: 'Asks for work every few seconds' },
  finished: { word: 'Finished', tone: 'plain', says: 'Has ended' },
  crashed: { word: 'Lost', tone: 'bad', says: 'Went silent; what it had not begun was given to others' },
}

export function AgentTable({ sweep }: { sweep: SweepDetails }) {
  if (sweep.agentList.length === 0) return <Note>No agent has joined yet.</Note>
  return (
    <PlainTable label="Agents" head={['Agent', 'State', 'Of', 'Experiments', 'Works on', 'Last heard']}>
      {sweep.agentList.map((agent) => {
        const { word, tone, says } = agentWords[agent.state]
        return (
          <tr key={agent.id}>
            <td className="max-w-56 truncate" title={agent.name}>
              {agent.name}
            </td>
            <td title={says}>
              <Tag tone={tone}>{word}</Tag>
            </td>
            <td>{agent.user.username}</td>
            <td className="tabular-nums">{agent.experiments}</td>
            <td className="max-w-48 truncate">
              {agent.current === null ? (
                <span className="text-ink-faint">–</span>
              ) : (
                <Link
                  to="/$team/$project/runs/$id"
                  params={{ team: sweep.team, project: sweep.project, id: agent.current.slug }}
                  className="hover:underline"
                >
                  {agent.current.name}
                </Link>
              )}
            </td>
            <td className="whitespace-nowrap text-ink-soft">
              <Ago at={agent.heartbeatAt} />
            </td>
          </tr>
        )
      })}
    </PlainTable>
  )
}

function Note({ children }: { children: ReactNode }) {
  return <p className="px-4 py-3 text-[13px] text-ink-faint">{children}</p>
}
