import { useQuery } from '@tanstack/react-query'
import { useMemo, useRef } from 'react'
import { saveFile } from '../../charts/export.ts'
import type { HoverSync } from '../../charts/hover.ts'
import { useInSight, useSize } from '../../charts/in-sight.ts'
import { LineChart, type LineChartHandle } from '../../charts/line-chart.tsx'
import { type Line, type Range, toCsv, type XKind } from '../../charts/lines.ts'
import type { PlotSettings } from '../../charts/plot.ts'
import { IconButton } from '../../ui/button.tsx'
import { copyText } from '../../ui/command-block.tsx'
import { Problem, Skeleton } from '../../ui/feedback.tsx'
import { DotsIcon, ExpandIcon, ResetIcon } from '../../ui/icons.tsx'
import { Menu, MenuItem, MenuTick } from '../../ui/menu.tsx'
import { tell, tellError } from '../../ui/toast.tsx'
import { Tip } from '../../ui/tooltip.tsx'
import { curveQuery } from './curves.ts'

/** An experiment as a line: who it is and how it looks. */
export type Drawn = {
  id: string
  slug: string
  name: string
  colour: string
  /** The step after which it goes its own way, when it branched from another. */
  branchedAt?: number | undefined
}

export type ChartView = {
  x: string
  logX: boolean
  smoothing: number
  range: Range | undefined
}

/**
 * One key of several experiments. Asks for data only while in sight, and for no more points than its pixels can show;
 * zooming asks again for the finer curve of the range.
 */
export function ChartPanel({
  metric,
  stream = 'history',
  experiments,
  view,
  logY,
  hoverSync,
  onRange,
  onLogY,
  onOpen,
  tall,
}: {
  metric: string
  stream?: 'history' | 'system'
  experiments: readonly Drawn[]
  view: ChartView
  logY: boolean
  hoverSync: HoverSync
  onRange: (range: Range | undefined) => void
  onLogY: (on: boolean) => void
  /** Fill the window with this panel; absent when it already does. */
  onOpen?: () => void
  tall?: boolean
}) {
  const frame = useRef<HTMLElement>(null)
  const chart = useRef<LineChartHandle>(null)
  const inSight = useInSight(frame)
  const { width } = useSize(frame)
  const ids = useMemo(() => experiments.map((each) => each.id), [experiments])
  const question = {
    experimentIds: ids,
    stream,
    x: view.x,
    from: view.range?.from ?? null,
    to: view.range?.to ?? null,
    pointsMax: pointsFor(width, ids.length),
  }
  const curves = useQuery({
    ...curveQuery(question, metric),
    enabled: inSight && width > 0 && ids.length > 0,
  })
  const lines = useMemo(() => linesOf(experiments, curves.data), [experiments, curves.data])
  const settings: PlotSettings = useMemo(
    () => ({ xKind: xKindOf(view.x), logX: view.logX, logY, smoothing: view.smoothing, range: view.range }),
    [view.x, view.logX, logY, view.smoothing, view.range],
  )
  const xName = view.x
  return (
    <figure
      ref={frame}
      data-panel={metric}
      className={`group flex min-w-0 flex-col rounded-md border border-line bg-surface ${tall ? 'h-[min(70vh,46rem)] border-0' : 'h-60'}`}
    >
      <figcaption className="flex h-8 shrink-0 items-center gap-1 pr-1 pl-3">
        <Tip says={metric}>
          <span className={`truncate text-[13px] font-medium ${tall ? 'sr-only' : ''}`} tabIndex={-1}>
            {metric}
          </span>
        </Tip>
        {logY && <span className="rounded border border-line px-1 text-[11px] text-ink-faint">log</span>}
        <span className="ml-auto flex opacity-100 transition-opacity focus-within:opacity-100 group-hover:opacity-100 pointer-fine:opacity-0">
          {view.range !== undefined && (
            <IconButton label="Show the whole curve" onClick={() => onRange(undefined)}>
              <ResetIcon />
            </IconButton>
          )}
          {onOpen !== undefined && (
            <IconButton label="Fill the window" onClick={onOpen}>
              <ExpandIcon />
            </IconButton>
          )}
          <Menu
            trigger={
              <IconButton label={`More for ${metric}`}>
                <DotsIcon />
              </IconButton>
            }
          >
            <MenuTick checked={logY} onChange={onLogY}>
              Logarithmic y axis
            </MenuTick>
            <MenuItem
              onSelect={() => {
                chart.current
                  ?.picture()
                  .then((blob) => saveFile(`${metric}.png`, blob))
                  .catch(tellError)
              }}
            >
              Save as PNG
            </MenuItem>
            <MenuItem onSelect={() => saveFile(`${metric}.csv`, toCsv(lines, xName, metric), 'text/csv')}>
              Save as CSV
            </MenuItem>
            <MenuItem
              onSelect={() => {
                const url = new URL(location.href)
                url.searchParams.set('panel', metric)
                copyText(url.href)
                  .then(() => tell('Link copied'))
                  .catch(tellError)
              }}
            >
              Copy link to this panel
            </MenuItem>
          </Menu>
        </span>
      </figcaption>
      <div className="relative min-h-0 flex-1 pr-1 pb-1">
        {curves.isError ? (
          <Problem error={curves.error} retry={() => void curves.refetch()} />
        ) : curves.data === undefined ? (
          <Skeleton className="mx-3 h-[calc(100%-12px)]" />
        ) : lines.length === 0 ? (
          <p className="grid h-full place-items-center px-4 text-center text-[13px] text-ink-faint">
            {view.range === undefined
              ? view.x === 'step'
                ? 'Nothing logged under this key'
                : `Not logged together with “${view.x}”`
              : 'Nothing in this range'}
          </p>
        ) : inSight ? (
          <LineChart
            ref={chart}
            title={metric}
            lines={lines}
            settings={settings}
            xName={xName}
            hoverSync={hoverSync}
            onRange={onRange}
          />
        ) : null}
      </div>
    </figure>
  )
}

/** Two points per pixel keep every bucket's lowest and highest. Many lines share the budget, as they share the pixels. */
export function pointsFor(width: number, lines: number): number {
  const perPixel = lines > 30 ? 0.5 : lines > 8 ? 1 : 2
  return Math.max(200, Math.min(4000, Math.ceil((width * perPixel) / 200) * 200))
}

export function xKindOf(x: string): XKind {
  return x === 'step' || x === 'runtime' || x === 'timestamp' ? x : 'value'
}

function linesOf(
  experiments: readonly Drawn[],
  curves:
    | readonly {
        experimentId: string
        x: number[]
        y: number[]
        nonFinite: Line['nonFinite']
        points: number
        branchX: number | null
      }[]
    | undefined,
): Line[] {
  if (curves === undefined) return []
  return experiments.flatMap((experiment) => {
    const curve = curves.find((each) => each.experimentId === experiment.id)
    if (curve === undefined || (curve.x.length === 0 && curve.nonFinite.length === 0)) return []
    return [
      {
        id: experiment.id,
        label: experiment.name,
        colour: experiment.colour,
        x: curve.x,
        y: curve.y,
        nonFinite: curve.nonFinite,
        points: curve.points,
        branch:
          curve.branchX === null ? undefined : { x: curve.branchX, step: experiment.branchedAt ?? null },
      },
    ]
  })
}
