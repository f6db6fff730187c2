import type { ReportBlock, ReportPanel } from '@teamgrid/api'
import { useMemo } from 'react'
import { assignColours, seriesColours } from '../../charts/colours.ts'
import { createHoverSync } from '../../charts/hover.ts'
import { LineChart } from '../../charts/line-chart.tsx'
import type { Line } from '../../charts/lines.ts'
import type { PlotSettings } from '../../charts/plot.ts'
import { formatNumber, formatValue, plural } from '../../lib/format.ts'
import { useTheme } from '../../lib/theme.ts'
import { Skeleton } from '../../ui/feedback.tsx'
import { PlainTable } from '../../ui/layout.tsx'
import { Markdown } from './markdown.tsx'
import type { PanelData } from './queries.ts'

type Grid = Extract<ReportBlock, { kind: 'panels' }>

const settings = (x: string): PlotSettings => ({
  xKind: x === 'step' || x === 'runtime' || x === 'timestamp' ? x : 'value',
  logX: false,
  logY: false,
  smoothing: 0,
  range: undefined,
})

/** Panels over chosen experiments, and the experiments themselves as a legend. */
export function Panels({
  block,
  data,
  error,
  experimentLink,
}: {
  block: Grid
  data: PanelData | undefined
  error?: unknown
  /** Draws the name of an experiment as a link, where the reader may follow it. */
  experimentLink?: (row: PanelData['rows'][number]) => React.ReactNode
}) {
  const theme = useTheme()
  const hover = useMemo(() => createHoverSync(), [])
  const colours = useMemo(() => {
    const ids = (data?.rows ?? [])
      .toSorted((a, b) => a.createdAt.localeCompare(b.createdAt))
      .map(({ id }) => id)
    return assignColours(ids)
  }, [data])
  const colourOf = (id: string) => seriesColours[theme][colours.get(id) ?? 0]!
  const unknown = block.runSets.reduce((sum, set) => sum + set.unknownFilters, 0)
  return (
    <div className="flex flex-col gap-2">
      {error !== undefined && error !== null && (
        <p role="alert" className="text-[13px] text-bad">
          {error instanceof Error ? error.message : 'The panels could not be loaded.'}
        </p>
      )}
      <div className="grid gap-2 [grid-template-columns:repeat(auto-fit,minmax(min(20rem,100%),1fr))]">
        {block.panels.map((panel, i) => (
          <figure
            key={`${panel.id} ${i}`}
            className="flex h-64 min-w-0 flex-col rounded-md border border-line bg-surface"
          >
            <figcaption className="shrink-0 truncate px-3 py-1.5 text-[13px] font-medium">
              {panel.title ?? (panel.metrics.join(', ') || names[panel.kind])}
            </figcaption>
            <div className="min-h-0 flex-1">
              {data === undefined ? (
                <Skeleton className="m-3 h-40" />
              ) : (
                <PanelBody
                  panel={panel.kind === 'compare' ? comparing(panel, block) : panel}
                  data={data}
                  colourOf={colourOf}
                  hover={hover}
                />
              )}
            </div>
          </figure>
        ))}
      </div>
      {unknown > 0 && (
        <p className="text-xs text-ink-faint">
          {plural(unknown, 'filter')} of this block {unknown === 1 ? 'is' : 'are'} not understood here, so
          more experiments may be shown.
        </p>
      )}
      {data !== undefined && (
        <ul
          className="flex flex-wrap gap-x-4 gap-y-1 text-[13px] text-ink-soft"
          aria-label="Experiments shown"
        >
          {data.rows.length === 0 && <li className="text-ink-faint">No experiment fits.</li>}
          {data.rows.map((row) => (
            <li key={row.id} className="flex min-w-0 items-center gap-1.5">
              <span
                aria-hidden
                className="size-2 shrink-0 rounded-full"
                style={{ background: colourOf(row.id) }}
              />
              <span className="truncate">{experimentLink?.(row) ?? row.name}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}

/** A comparison that names no metrics has those of the panels beside it. */
function comparing(panel: ReportPanel, block: Grid): ReportPanel {
  const all = [...new Set(block.panels.flatMap(({ metrics }) => metrics))].slice(0, 8)
  return panel.metrics.length > 0 ? panel : { ...panel, metrics: all }
}

const names = {
  line: 'Line chart',
  bar: 'Bar chart',
  scalar: 'Value',
  compare: 'Experiments',
  text: 'Text',
  unknown: 'Panel',
} as const

function PanelBody({
  panel,
  data,
  colourOf,
  hover,
}: {
  panel: ReportPanel
  data: PanelData
  colourOf: (id: string) => string
  hover: ReturnType<typeof createHoverSync>
}) {
  const lines = useMemo(() => linesOf(panel, data, colourOf), [panel, data, colourOf])
  const numbers = data.rows.flatMap((row) =>
    panel.metrics.map((metric) => ({ row, metric, value: row.values[`summary.${metric}`] })),
  )
  switch (panel.kind) {
    case 'line':
      return lines.length === 0 ? (
        <Empty />
      ) : (
        <LineChart
          lines={lines}
          settings={settings(panel.x)}
          xName={panel.x}
          title={panel.title ?? panel.metrics.join(', ')}
          hoverSync={hover}
          onRange={() => {}}
        />
      )
    case 'bar': {
      const finite = numbers.filter(
        (each): each is typeof each & { value: number } => typeof each.value === 'number',
      )
      const most = Math.max(...finite.map(({ value }) => Math.abs(value)), Number.MIN_VALUE)
      return finite.length === 0 ? (
        <Empty />
      ) : (
        <ul className="scroll-quiet flex h-full flex-col gap-1.5 overflow-auto px-3 pb-2 text-xs">
          {finite.map(({ row, metric, value }) => (
            <li key={`${row.id} ${metric}`}>
              <div className="flex justify-between gap-2">
                <span className="truncate text-ink-soft">{row.name}</span>
                <span className="tabular-nums" title={String(value)}>
                  {formatNumber(value)}
                </span>
              </div>
              <div className="h-2 rounded bg-sunken">
                <div
                  className="h-2 rounded"
                  style={{ width: `${(Math.abs(value) / most) * 100}%`, background: colourOf(row.id) }}
                />
              </div>
            </li>
          ))}
        </ul>
      )
    }
    case 'scalar': {
      const [newest] = numbers.filter(({ value }) => value !== undefined && value !== null)
      return newest === undefined ? (
        <Empty />
      ) : (
        <div className="grid h-full place-content-center gap-1 pb-6 text-center">
          <span className="text-3xl font-semibold tabular-nums">{formatValue(newest.value)}</span>
          <span className="text-xs text-ink-faint">{newest.row.name}</span>
        </div>
      )
    }
    case 'compare':
      return (
        <div className="scroll-quiet h-full overflow-auto">
          <PlainTable label="Experiments" head={['Experiment', 'State', ...panel.metrics]}>
            {data.rows.map((row) => (
              <tr key={row.id}>
                <td className="max-w-48 truncate">{row.name}</td>
                <td className="text-ink-soft">{row.state}</td>
                {panel.metrics.map((metric) => (
                  <td key={metric} className="tabular-nums">
                    {formatValue(row.values[`summary.${metric}`])}
                  </td>
                ))}
              </tr>
            ))}
          </PlainTable>
        </div>
      )
    case 'text':
      return (
        <div className="scroll-quiet h-full overflow-auto px-3 pb-2 text-sm">
          <Markdown text={panel.markdown} />
        </div>
      )
    case 'unknown':
      return (
        <p className="px-3 text-[13px] text-ink-faint">
          “{panel.viewType}” is not drawn here yet. The report keeps it.
        </p>
      )
  }
  return panel.kind satisfies never
}

function linesOf(panel: ReportPanel, data: PanelData, colourOf: (id: string) => string): Line[] {
  const rows = new Map(data.rows.map((row) => [row.id, row]))
  return data.curves.flatMap((curve) => {
    const row = rows.get(curve.experimentId)
    if (
      row === undefined ||
      !panel.metrics.includes(curve.key) ||
      curve.x.length + curve.nonFinite.length === 0
    )
      return []
    return {
      id: `${curve.experimentId} ${curve.key}`,
      label: panel.metrics.length > 1 ? `${row.name}: ${curve.key}` : row.name,
      colour: colourOf(row.id),
      x: curve.x,
      y: curve.y,
      nonFinite: curve.nonFinite,
      points: curve.points,
    }
  })
}

function Empty() {
  return <p className="px-3 text-[13px] text-ink-faint">Nothing logged under this key yet.</p>
}
