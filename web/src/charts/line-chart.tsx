import 'uplot/dist/uPlot.min.css'
import {
  type KeyboardEvent,
  type Ref,
  useEffect,
  useImperativeHandle,
  useMemo,
  useRef,
  useState,
} from 'react'
import { useTheme } from '../lib/theme.ts'
import { chartPicture } from './export.ts'
import type { Hover, HoverSync } from './hover.ts'
import { useSize } from './in-sight.ts'
import { indexNearest, type Line, type Range } from './lines.ts'
import { createPlot, type Plot, type PlotLook, type PlotSettings } from './plot.ts'
import { type Reading, Readout } from './readout.tsx'

export type LineChartHandle = {
  /** The chart as a PNG with its title, at the screen's resolution. */
  picture: () => Promise<Blob>
}

/**
 * Several lines over one x axis. Drag to zoom (reported through `onRange`, so that the owner can ask for the finer
 * curve), double-click to see all again, arrow keys to walk along the points when focused.
 */
export function LineChart({
  lines,
  settings,
  xName,
  title,
  hoverSync,
  onRange,
  ref,
}: {
  lines: readonly Line[]
  settings: PlotSettings
  xName: string
  title: string
  hoverSync: HoverSync
  onRange: (range: Range | undefined) => void
  ref?: Ref<LineChartHandle>
}) {
  const host = useRef<HTMLDivElement>(null)
  const cursor = useRef<HTMLDivElement>(null)
  const dots = useRef<HTMLDivElement>(null)
  const plot = useRef<Plot>(null)
  const source = useMemo(() => Symbol(title), [title])
  const size = useSize(host)
  const theme = useTheme()
  const look = useMemo(() => readLook(theme), [theme])
  const [reading, setReading] = useState<Reading>()
  const select = useRef(onRange)
  select.current = onRange

  const measured = size.width > 40 && size.height > 40
  useEffect(() => {
    if (!measured || host.current === null) return
    plot.current = createPlot(host.current, size, { lines, settings, look }, (range) => {
      hoverSync.publish(null)
      select.current(range)
    })
    return () => {
      plot.current?.destroy()
      plot.current = null
    }
    // Built once per mount; what changes later goes through update and resize.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [measured])

  useEffect(() => plot.current?.resize(size.width, size.height), [size])
  // After new points or another range the same place reads differently.
  const show = useRef<(hover: Hover | null) => void>(() => {})
  const latest = useRef<Hover>(null)
  useEffect(() => {
    plot.current?.update(lines, settings, look)
    show.current(latest.current)
  }, [lines, settings, look])

  useEffect(() => {
    show.current = (hover) => {
      latest.current = hover

      const now = plot.current
      if (now === null || cursor.current === null || dots.current === null) return
      const inRange = hover !== null && isInside(now, hover.x)
      cursor.current.style.opacity = inRange ? '1' : '0'
      dots.current.replaceChildren()
      if (!inRange) {
        now.emphasise(null)
        setReading(undefined)
        return
      }
      const left = now.uplot.valToPos(hover.x, 'x')
      const over = now.uplot.over
      cursor.current.style.transform = `translateX(${over.offsetLeft + left}px)`
      cursor.current.style.top = `${over.offsetTop}px`
      cursor.current.style.height = `${over.clientHeight}px`
      const rows = rowsAt(now, hover.x, hover.lineId)
      const lead = rows[0]
      if (lead !== undefined) {
        const dot = document.createElement('span')
        dot.className = 'absolute size-2 -translate-x-1/2 -translate-y-1/2 rounded-full ring-2 ring-surface'
        dot.style.background = lead.colour
        dot.style.left = `${over.offsetLeft + now.uplot.valToPos(lead.at, 'x')}px`
        dot.style.top = `${over.offsetTop + now.uplot.valToPos(lead.value, 'y')}px`
        dots.current.append(dot)
      }
      now.emphasise(now.drawn().length > 1 ? hover.lineId : null)
      const limit = hover.source === source ? 8 : 1
      const points = now.drawn().reduce((sum, line) => sum + line.points, 0)
      const visiblePoints = now.drawn().reduce((sum, line) => sum + line.x.length, 0)
      setReading({
        left,
        plotWidth: over.clientWidth,
        x: lead?.at ?? hover.x,
        xName,
        xKind: now.settings().xKind,
        rows: rows.slice(0, limit),
        more: hover.source === source ? Math.max(0, rows.length - limit) : 0,
        pointsPerPixel:
          hover.source === source && points > visiblePoints
            ? points / now.drawn().length / over.clientWidth
            : 0,
      })
    }
    return hoverSync.subscribe((hover) => show.current(hover))
  }, [hoverSync, source, xName])

  useImperativeHandle(ref, () => ({ picture: () => chartPicture(plot.current, title, lines, look) }), [
    title,
    lines,
    look,
  ])

  const point = (clientX: number, clientY: number) => {
    const now = plot.current
    if (now === null) return
    const box = now.uplot.over.getBoundingClientRect()
    if (clientX < box.left || clientX > box.right || clientY < box.top || clientY > box.bottom) {
      hoverSync.publish(null)
      return
    }
    const x = now.uplot.posToVal(clientX - box.left, 'x')
    hoverSync.publish({ x, source, lineId: nearestLine(now, x, clientY - box.top) })
  }

  const walk = (event: KeyboardEvent) => {
    const now = plot.current
    const line = now?.drawn()[0]
    if (now === null || line === undefined) return
    if (event.key === 'Escape') {
      hoverSync.publish(null)
      onRange(undefined)
    }
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return
    event.preventDefault()
    const at =
      reading === undefined
        ? line.x.length - 1
        : indexNearest(line.x, reading.x) + (event.key === 'ArrowLeft' ? -1 : 1)
    const x = line.x[Math.max(0, Math.min(line.x.length - 1, at))]
    if (x !== undefined) hoverSync.publish({ x, source, lineId: line.id })
  }

  return (
    <div
      className="relative h-full min-h-0 w-full touch-pan-y"
      role="img"
      tabIndex={0}
      aria-label={`Chart of ${title}, ${lines.length} ${lines.length === 1 ? 'line' : 'lines'}${newest(lines, xName)}${branches(lines)}. Arrow keys read values.`}
      onPointerMove={(event) => point(event.clientX, event.clientY)}
      onPointerDown={(event) => event.pointerType !== 'mouse' && point(event.clientX, event.clientY)}
      onPointerLeave={(event) => event.pointerType === 'mouse' && hoverSync.publish(null)}
      onBlur={() => hoverSync.publish(null)}
      onKeyDown={walk}
      onDoubleClick={() => onRange(undefined)}
    >
      <div ref={host} className="absolute inset-0 overflow-hidden" />
      <div
        ref={cursor}
        aria-hidden
        className="pointer-events-none absolute left-0 w-px bg-ink-faint/60 opacity-0"
      />
      <div ref={dots} aria-hidden className="pointer-events-none absolute inset-0 overflow-hidden" />
      {reading !== undefined && reading.rows.length > 0 && (
        <Readout reading={reading} smoothing={settings.smoothing > 0} />
      )}
    </div>
  )
}

/** Where the newest drawn point is, for those who do not see it. */
function newest(lines: readonly Line[], xName: string): string {
  let x = -Infinity
  let y: number | undefined
  for (const line of lines) {
    const last = line.x.length - 1
    if (last < 0 || line.x[last]! <= x) continue
    x = line.x[last]!
    y = line.y[last]!
  }
  return y === undefined ? '' : `, newest ${Number(y.toPrecision(4))} at ${xName} ${x}`
}

function branches(lines: readonly Line[]): string {
  return lines
    .filter((line) => line.branch !== undefined)
    .map(
      ({ label, branch }) =>
        `, ${label} branches off${branch?.step == null ? '' : ` after step ${branch.step}`}`,
    )
    .join('')
}

function readLook(_theme: string): PlotLook {
  const style = getComputedStyle(document.documentElement)
  const read = (name: string) => style.getPropertyValue(name).trim()
  return {
    ink: read('--ink-faint'),
    grid: read('--line'),
    surface: read('--surface'),
    font: `11px ${getComputedStyle(document.body).fontFamily}`,
  }
}

function isInside(plot: Plot, x: number): boolean {
  const { min, max } = plot.uplot.scales.x!
  return min !== undefined && max !== undefined && x >= min && x <= max
}

type Row = { id: string; label: string; colour: string; at: number; value: number; raw: number }

/** The value of every line at `x`; the line `first` leads, the others follow by their distance from it on screen. */
function rowsAt(plot: Plot, x: number, first: string | null): Row[] {
  const rows: Row[] = []
  const { min, max } = plot.uplot.scales.x!
  const reach = ((max ?? 0) - (min ?? 0)) * 0.05
  for (const line of plot.drawn()) {
    const i = indexNearest(line.x, x)
    if (i < 0) continue
    const at = line.x[i]!
    // A line that ended long before this place has no value here.
    if (Math.abs(at - x) > reach && (i === 0 || i === line.x.length - 1)) continue
    rows.push({
      id: line.id,
      label: line.label,
      colour: line.colour,
      at,
      value: line.smoothed?.[i] ?? line.y[i]!,
      raw: line.y[i]!,
    })
  }
  const lead = rows.find((row) => row.id === first) ?? rows[0]
  if (lead === undefined) return []
  const place = (row: Row) =>
    Math.abs(plot.uplot.valToPos(row.value, 'y') - plot.uplot.valToPos(lead.value, 'y'))
  return rows.toSorted((a, b) => (a === lead ? -1 : b === lead ? 1 : place(a) - place(b)))
}

function nearestLine(plot: Plot, x: number, top: number): string | null {
  let best: string | null = null
  let bestDistance = Infinity
  for (const row of rowsAt(plot, x, null)) {
    const distance = Math.abs(plot.uplot.valToPos(row.value, 'y') - top)
    if (distance < bestDistance) {
      best = row.id
      bestDistance = distance
    }
  }
  return best
}
