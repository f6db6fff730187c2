import uPlot from 'uplot'
import { formatDuration, formatInstant, formatNumber } from '../lib/format.ts'
import { indexAtOrAfter, type Line, padded, type Range, xExtent, type XKind, yExtent } from './lines.ts'
import { smooth } from './smooth.ts'

/**
 * The imperative half of a chart. uPlot gives scales, axes, grid and the drag selection; the lines are drawn here, each
 * with its own x values, because joining a hundred experiments onto one shared x axis costs more than drawing them.
 */

export type PlotSettings = {
  xKind: XKind
  logX: boolean
  logY: boolean
  /** 0 … 0.999. */
  smoothing: number
  /** The part of the x axis to show; undefined for all. */
  range: Range | undefined
}

export type PlotLook = { ink: string; grid: string; surface: string; font: string }

export type DrawnLine = Line & { smoothed: Float64Array | undefined }

export type Plot = {
  update: (lines: readonly Line[], settings: PlotSettings, look: PlotLook) => void
  resize: (width: number, height: number) => void
  destroy: () => void
  uplot: uPlot
  drawn: () => readonly DrawnLine[]
  settings: () => PlotSettings
  /** Draw this line thick and the others faint; null for all alike. */
  emphasise: (lineId: string | null) => void
  /** What lies over each other, lowest first, all of one size. */
  canvases: () => HTMLCanvasElement[]
}

export function createPlot(
  host: HTMLElement,
  size: { width: number; height: number },
  initial: { lines: readonly Line[]; settings: PlotSettings; look: PlotLook },
  onSelect: (range: Range) => void,
): Plot {
  let settings = initial.settings
  let look = initial.look
  let lines = prepare(initial.lines, settings)
  let emphasis: string | null = null
  const layers = createLayers()

  const options = (): uPlot.Options => ({
    ...size,
    // A line is drawn by the hook below; uPlot only needs to know that there is one.
    series: [{}, { show: false, scale: 'y' }],
    legend: { show: false },
    padding: [8, 10, 0, 0],
    cursor: {
      x: false,
      y: false,
      points: { show: false },
      drag: { x: true, y: false, setScale: false, dist: 5 },
    },
    scales: {
      x: {
        time: settings.xKind === 'timestamp',
        distr: settings.logX ? 3 : 1,
        range: () => limits(xRange(), settings.logX),
      },
      y: { distr: settings.logY ? 3 : 1, range: () => limits(yRange(), settings.logY) },
    },
    axes: [
      {
        stroke: () => look.ink,
        font: look.font,
        grid: { stroke: () => look.grid, width: 1 },
        ticks: { stroke: () => look.grid, width: 1, size: 4 },
        size: 26,
        gap: 3,
        space: 56,
        ...(settings.xKind === 'timestamp'
          ? {}
          : { values: (_: uPlot, splits: number[]) => splits.map((at) => xText(at, settings.xKind)) }),
        ...(settings.logX ? {} : settings.xKind === 'step' ? { incrs: wholeIncrements } : {}),
      },
      {
        stroke: () => look.ink,
        font: look.font,
        grid: { stroke: () => look.grid, width: 1 },
        ticks: { show: false },
        gap: 4,
        space: 30,
        size: (_, values) => 12 + 6.3 * Math.max(3, ...(values ?? []).map((value) => value?.length ?? 0)),
        values: (_, splits) => splits.map((at) => (at === null || at === undefined ? '' : formatNumber(at))),
      },
    ],
    hooks: {
      draw: [
        (plot) => {
          drawLines(plot, layers.lines(plot), lines, settings, look)
          drawStrong(plot)
        },
      ],
      setSelect: [
        (plot) => {
          const { left, width } = plot.select
          if (width < 4) return
          const from = plot.posToVal(left, 'x')
          const to = plot.posToVal(left + width, 'x')
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
          onSelect({ from, to })
        },
      ],
    },
  })

  const xRange = (): Range => {
    const extent = settings.range ?? xExtent(lines) ?? { from: settings.logX ? 1 : 0, to: 10 }
    if (extent.from < extent.to) return extent
    return settings.logX
      ? { from: extent.from / 2, to: extent.to * 2 }
      : { from: extent.from - 0.5, to: extent.to + 0.5 }
  }
  const yRange = (): Range => {
    const shown =
      settings.smoothing > 0 ? lines.map((line) => ({ ...line, y: line.smoothed ?? line.y })) : lines
    const extent = yExtent(shown, xRange(), settings.logY) ?? { from: settings.logY ? 0.1 : 0, to: 1 }
    return padded(extent, settings.logY)
  }

  /** The line under the pointer again, thick, above the others made faint: one line to draw per move, not a hundred. */
  const drawStrong = (plot: uPlot) => {
    const strong = lines.find((line) => line.id === emphasis)
    layers.dim(strong !== undefined)
    const ctx = layers.strong(plot)
    if (strong !== undefined) drawLines(plot, ctx, [strong], settings, look, 2.4)
  }

  let uplot = new uPlot(
    options(),
    [
      [0, 1],
      [null, null],
    ],
    host,
  )
  return {
    get uplot() {
      return uplot
    },
    drawn: () => lines,
    settings: () => settings,
    update(nextLines, nextSettings, nextLook) {
      const rebuild =
        nextSettings.logX !== settings.logX ||
        nextSettings.logY !== settings.logY ||
        nextSettings.xKind !== settings.xKind ||
        nextLook !== look
      settings = nextSettings
      look = nextLook
      lines = prepare(nextLines, settings)
      if (rebuild) {
        uplot.destroy()
        uplot = new uPlot(
          options(),
          [
            [0, 1],
            [null, null],
          ],
          host,
        )
      } else {
        uplot.setData(
          [
            [0, 1],
            [null, null],
          ],
          true,
        )
      }
    },
    resize(width, height) {
      if (size.width === width && size.height === height) return
      size = { width, height }
      uplot.setSize(size)
    },
    destroy: () => uplot.destroy(),
    canvases: () => [uplot.ctx.canvas, ...layers.canvases()],
    emphasise(lineId) {
      if (lineId === emphasis) return
      emphasis = lineId
      drawStrong(uplot)
    },
  }
}

const wholeIncrements = [1, 2, 5]
  .flatMap((base) => Array.from({ length: 13 }, (_, power) => base * 10 ** power))
  .toSorted((a, b) => a - b)

/** How a place on the x axis reads on the axis and in the tooltip. */
export function xText(at: number, kind: XKind): string {
  if (kind === 'runtime') return at < 0 ? `−${formatDuration(-at)}` : formatDuration(at)
  if (kind === 'timestamp') return formatInstant(at * 1000)
  return formatNumber(at)
}

function prepare(lines: readonly Line[], settings: PlotSettings): DrawnLine[] {
  const extent = settings.range ?? xExtent(lines)
  const span = extent === undefined ? 0 : extent.to - extent.from
  return lines.map((line) => ({
    ...line,
    smoothed: settings.smoothing > 0 ? smooth(line.x, line.y, settings.smoothing, span) : undefined,
  }))
}

function limits(range: Range, log: boolean): [number, number] {
  if (!log) return [range.from, range.to]
  const to = range.to > 0 ? range.to : 1
  return [range.from > 0 ? range.from : Math.min(to / 1000, 1), to]
}

function drawLines(
  plot: uPlot,
  ctx: CanvasRenderingContext2D,
  lines: readonly DrawnLine[],
  settings: PlotSettings,
  look: PlotLook,
  width = lines.length > 30 ? 1.1 : 1.5,
): void {
  const { bbox } = plot
  const pixel = uPlot.pxRatio
  ctx.save()
  ctx.beginPath()
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height)
  ctx.clip()
  // Rounded joins cost several times as much, and nobody sees them between points a pixel apart.
  ctx.lineJoin = 'bevel'
  const toX = mapping(plot.scales.x!, bbox.left, bbox.width, settings.logX, false)
  const toY = mapping(plot.scales.y!, bbox.top, bbox.height, settings.logY, true)
  const range = { from: plot.scales.x!.min ?? 0, to: plot.scales.x!.max ?? 1 }
  for (const line of lines) {
    ctx.strokeStyle = line.colour
    ctx.fillStyle = line.colour
    if (line.smoothed !== undefined) {
      ctx.globalAlpha = 0.22
      ctx.lineWidth = pixel
      strokeLine(ctx, line, line.y, toX, toY, range, pixel)
      ctx.globalAlpha = 1
    }
    ctx.lineWidth = width * pixel
    strokeLine(ctx, line, line.smoothed ?? line.y, toX, toY, range, pixel)
    if (line.branch !== undefined) drawBranch(ctx, line, line.branch.x, toX, toY, bbox, look, pixel)
    drawMarks(ctx, line, toX, bbox, look, pixel)
  }
  ctx.restore()
}

/** Where the line leaves that of its parent: a dashed upright in its colour, and a ring on the last shared point. */
function drawBranch(
  ctx: CanvasRenderingContext2D,
  line: DrawnLine,
  at: number,
  toX: (x: number) => number,
  toY: (y: number) => number,
  bbox: uPlot.BBox,
  look: PlotLook,
  pixel: number,
): void {
  const x = toX(at)
  ctx.save()
  ctx.globalAlpha *= 0.6
  ctx.lineWidth = pixel
  ctx.setLineDash([4 * pixel, 4 * pixel])
  ctx.beginPath()
  ctx.moveTo(x, bbox.top)
  ctx.lineTo(x, bbox.top + bbox.height)
  ctx.stroke()
  ctx.restore()
  const after = indexAtOrAfter(line.x, at)
  const last = line.x[after] === at ? after : after - 1
  const y = last < 0 ? Number.NaN : toY((line.smoothed ?? line.y)[last]!)
  if (!Number.isFinite(y)) return
  ctx.save()
  ctx.lineWidth = 1.6 * pixel
  ctx.fillStyle = look.surface
  ctx.beginPath()
  ctx.arc(toX(line.x[last]!), y, 3.6 * pixel, 0, Math.PI * 2)
  ctx.fill()
  ctx.stroke()
  ctx.restore()
}

/** Two canvases above the axes: all lines, and the one that is pointed at. */
function createLayers() {
  const canvases = [document.createElement('canvas'), document.createElement('canvas')] as const
  for (const canvas of canvases) {
    canvas.style.position = 'absolute'
    canvas.style.inset = '0'
    canvas.style.width = '100%'
    canvas.style.height = '100%'
    canvas.style.pointerEvents = 'none'
  }
  const clear = (canvas: HTMLCanvasElement, plot: uPlot): CanvasRenderingContext2D => {
    const base = plot.ctx.canvas
    // A chart that was built anew takes its layers along.
    if (canvas.parentElement !== base.parentElement) base.after(...canvases)
    const ctx = canvas.getContext('2d')!
    if (canvas.width !== base.width || canvas.height !== base.height) {
      canvas.width = base.width
      canvas.height = base.height
    } else {
      ctx.clearRect(0, 0, canvas.width, canvas.height)
    }
    return ctx
  }
  return {
    lines: (plot: uPlot) => clear(canvases[0], plot),
    strong: (plot: uPlot) => clear(canvases[1], plot),
    dim(on: boolean) {
      canvases[0].style.opacity = on ? '0.3' : '1'
    },
    canvases: () => [...canvases],
  }
}

/** A scale as a plain function: `valToPos` checks too much to be called a hundred thousand times per frame. */
function mapping(
  scale: uPlot.Scale,
  start: number,
  length: number,
  log: boolean,
  flip: boolean,
): (value: number) => number {
  const min = log ? Math.log10(scale.min ?? 1) : (scale.min ?? 0)
  const max = log ? Math.log10(scale.max ?? 10) : (scale.max ?? 1)
  const factor = max === min ? 0 : length / (max - min)
  return (value) => {
    const at = ((log ? Math.log10(value) : value) - min) * factor
    return flip ? start + length - at : start + at
  }
}

function strokeLine(
  ctx: CanvasRenderingContext2D,
  line: Line,
  y: ArrayLike<number>,
  toX: (x: number) => number,
  toY: (y: number) => number,
  range: Range,
  pixel: number,
): void {
  const first = Math.max(0, indexAtOrAfter(line.x, range.from) - 1)
  const last = Math.min(line.x.length - 1, indexAtOrAfter(line.x, range.to))
  let mark = 0
  let pen = false
  let lonely = -1
  const dots: number[] = []
  ctx.beginPath()
  for (let i = first; i <= last; i += 1) {
    const x = line.x[i]!
    // What was not a number breaks the line: closing the gap would claim values that nobody logged.
    while (mark < line.nonFinite.length && line.nonFinite[mark]!.x < x) {
      if (i > first && line.nonFinite[mark]!.x > line.x[i - 1]!) {
        if (lonely === i - 1) dots.push(i - 1)
        pen = false
      }
      mark += 1
    }
    const at = toY(y[i]!)
    if (!Number.isFinite(at)) {
      pen = false
      continue
    }
    if (pen) ctx.lineTo(toX(x), at)
    else {
      ctx.moveTo(toX(x), at)
      lonely = i
    }
    pen = true
  }
  if (lonely === last && last >= 0) dots.push(last)
  ctx.stroke()
  for (const i of dots) dot(ctx, toX(line.x[i]!), toY(y[i]!), pixel)
}

/** A single point has no line to either side; without a filled dot it would be invisible. */
function dot(ctx: CanvasRenderingContext2D, x: number, y: number, pixel: number): void {
  if (!Number.isFinite(y)) return
  ctx.beginPath()
  ctx.arc(x, y, 2.4 * pixel, 0, Math.PI * 2)
  ctx.fill()
}

/** NaN is a cross on the floor, +Infinity an arrow at the ceiling, −Infinity one at the floor. */
function drawMarks(
  ctx: CanvasRenderingContext2D,
  line: Line,
  toX: (x: number) => number,
  bbox: uPlot.BBox,
  look: PlotLook,
  pixel: number,
): void {
  const size = 3 * pixel
  ctx.lineWidth = 1.6 * pixel
  let previous = -Infinity
  for (const mark of line.nonFinite) {
    const x = toX(mark.x)
    if (x - previous < size) continue
    previous = x
    const top = mark.value === 'Infinity'
    const y = top ? bbox.top + size * 2 : bbox.top + bbox.height - size * 2
    ctx.beginPath()
    if (mark.value === 'NaN') {
      ctx.moveTo(x - size, y - size)
      ctx.lineTo(x + size, y + size)
      ctx.moveTo(x + size, y - size)
      ctx.lineTo(x - size, y + size)
    } else {
      const tip = top ? -size : size
      ctx.moveTo(x - size, y)
      ctx.lineTo(x, y + tip)
      ctx.lineTo(x + size, y)
    }
    ctx.stroke()
  }
  ctx.fillStyle = look.ink
}
