import { type PointerEvent, useEffect, useMemo, useRef, useState } from 'react'
import { formatValue } from '../lib/format.ts'
import { useTheme } from '../lib/theme.ts'
import { type Axis, axisOf, type Dimension, shareColour, spacedTicks } from './parallel.ts'

export type ParallelLine = {
  id: string
  name: string
  /** In the order of the dimensions. */
  values: readonly unknown[]
}

const axisGapMin = 96
const height = 320
const top = 44
const foot = 20
const side = 56
const reachPixels = 14

type Range = [low: number, high: number]

/**
 * Each line is one experiment, through its value on every axis; its colour is its value on the last one. Dragging along
 * an axis keeps what passes there; a press on the axis lets all through again.
 */
export function ParallelCoordinates({
  dimensions,
  lines,
  label,
  onOpen,
}: {
  dimensions: readonly Dimension[]
  lines: readonly ParallelLine[]
  label: string
  onOpen?: (line: ParallelLine) => void
}) {
  const box = useRef<HTMLDivElement>(null)
  const [available, setAvailable] = useState(800)
  useEffect(() => {
    const element = box.current
    if (element === null) return
    const observer = new ResizeObserver(() => setAvailable(element.clientWidth))
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  const [ranges, setRanges] = useState<ReadonlyMap<string, Range>>(new Map())
  const theme = useTheme()
  const [near, setNear] = useState<string>()
  const axes = useMemo(
    () =>
      dimensions.map((dimension, index) =>
        axisOf(
          dimension,
          lines.map((line) => line.values[index]),
        ),
      ),
    [dimensions, lines],
  )
  const width = Math.max(available, side * 2 + axisGapMin * Math.max(1, axes.length - 1))
  const xOf = (index: number) =>
    axes.length === 1 ? width / 2 : side + (index * (width - 2 * side)) / (axes.length - 1)
  const yOf = (share: number) => height - foot - share * (height - foot - top)
  const drawn = useMemo(
    () =>
      lines.map((line) => {
        const heights = axes.map((axis, index) => axis.heightOf(line.values[index]))
        return { line, heights, colour: heights.at(-1) }
      }),
    [axes, lines],
  )
  const isKept = (heights: readonly (number | undefined)[]) =>
    axes.every((axis, index) => {
      const range = ranges.get(axis.name)
      const at = heights[index]
      return range === undefined || (at !== undefined && at >= range[0] && at <= range[1])
    })
  const kept = drawn.filter(({ heights }) => isKept(heights))
  const nearest = kept.find(({ line }) => line.id === near)

  const look = (event: PointerEvent<SVGSVGElement>) => {
    const frame = event.currentTarget.getBoundingClientRect()
    const [x, y] = [event.clientX - frame.left, event.clientY - frame.top]
    const position = axes.length < 2 ? 0 : ((x - side) / (width - 2 * side)) * (axes.length - 1)
    const left = Math.min(Math.max(0, axes.length - 2), Math.max(0, Math.floor(position)))
    const mix = Math.min(1, Math.max(0, position - left))
    let best: { id: string; away: number } | undefined
    for (const { line, heights } of kept) {
      const [a, b] = [heights[left], heights[Math.min(left + 1, axes.length - 1)]]
      if (a === undefined || b === undefined) continue
      const away = Math.abs(yOf(a * (1 - mix) + b * mix) - y)
      if (away <= reachPixels && (best === undefined || away < best.away)) best = { id: line.id, away }
    }
    setNear(best?.id)
  }
  return (
    <div className="flex min-w-0 flex-col">
      <div ref={box} className="scroll-quiet overflow-x-auto">
        <svg
          role="img"
          aria-label={`${label}: ${lines.length} lines over ${axes.map((axis) => axis.name).join(', ')}`}
          width={width}
          height={height}
          className={`block select-none ${nearest && onOpen ? 'cursor-pointer' : ''}`}
          onPointerMove={look}
          onPointerLeave={() => setNear(undefined)}
          onClick={() => nearest && onOpen?.(nearest.line)}
        >
          {drawn.map(({ line, heights, colour }) => {
            const through = isKept(heights)
            return (
              <path
                key={line.id}
                d={pathOf(heights, xOf, yOf)}
                fill="none"
                stroke={through && colour !== undefined ? shareColour(colour, theme) : 'var(--line-strong)'}
                strokeWidth={line.id === near ? 3 : 1.25}
                strokeOpacity={through ? (near === undefined || line.id === near ? 0.85 : 0.25) : 0.12}
              />
            )
          })}
          {axes.map((axis, index) => (
            <UprightAxis
              key={axis.name}
              axis={axis}
              x={xOf(index)}
              yOf={yOf}
              range={ranges.get(axis.name)}
              onRange={(range) => {
                const next = new Map(ranges)
                if (range === undefined) next.delete(axis.name)
                else next.set(axis.name, range)
                setRanges(next)
              }}
            />
          ))}
        </svg>
      </div>
      <p className="flex min-h-5 flex-wrap gap-x-3 px-1 text-xs text-ink-soft" aria-live="polite">
        {nearest === undefined ? (
          <span className="text-ink-faint">
            {ranges.size > 0
              ? `${kept.length} of ${lines.length} pass`
              : 'Point at a line to read it; drag along an axis to keep only what passes there.'}
          </span>
        ) : (
          <>
            <b className="font-semibold text-ink">{nearest.line.name}</b>
            {dimensions.map((dimension, index) => (
              <span key={dimension.name}>
                {dimension.name}{' '}
                <b className="font-medium text-ink">{formatValue(nearest.line.values[index])}</b>
              </span>
            ))}
          </>
        )}
        {ranges.size > 0 && (
          <button type="button" className="text-accent hover:underline" onClick={() => setRanges(new Map())}>
            Show all
          </button>
        )}
      </p>
    </div>
  )
}

/** Breaks where a value is missing. */
function pathOf(
  heights: readonly (number | undefined)[],
  xOf: (index: number) => number,
  yOf: (share: number) => number,
): string {
  let isOpen = false
  return heights
    .map((at, index) => {
      if (at === undefined) {
        isOpen = false
        return ''
      }
      const command = isOpen ? 'L' : 'M'
      isOpen = true
      return `${command}${xOf(index).toFixed(1)} ${yOf(at).toFixed(1)}`
    })
    .join('')
}

function UprightAxis({
  axis,
  x,
  yOf,
  range,
  onRange,
}: {
  axis: Axis
  x: number
  yOf: (share: number) => number
  range: Range | undefined
  onRange: (range: Range | undefined) => void
}) {
  const from = useRef<number>(undefined)
  const shareAt = (event: PointerEvent<SVGRectElement>) => {
    const frame = event.currentTarget.getBoundingClientRect()
    return Math.min(1, Math.max(0, 1 - (event.clientY - frame.top) / frame.height))
  }
  return (
    <g>
      <line x1={x} x2={x} y1={yOf(1)} y2={yOf(0)} stroke="var(--ink-faint)" />
      <text x={x} y={16} textAnchor="middle" className="fill-ink text-xs font-medium">
        <title>{axis.name}</title>
        {shortened(axis.name)}
      </text>
      {spacedTicks(axis.ticks, yOf(0) - yOf(1)).map((tick) => (
        <text
          key={tick.label}
          x={x - 6}
          y={yOf(tick.height) + 4}
          textAnchor="end"
          className="fill-ink-soft text-[11px] tabular-nums"
          style={{ paintOrder: 'stroke', stroke: 'var(--surface)', strokeWidth: 3 }}
        >
          {shortened(tick.label, 12)}
        </text>
      ))}
      {range !== undefined && (
        <rect
          x={x - 5}
          width={10}
          y={yOf(range[1])}
          height={Math.max(2, yOf(range[0]) - yOf(range[1]))}
          fill="var(--accent)"
          fillOpacity={0.3}
          stroke="var(--accent)"
        />
      )}
      <rect
        x={x - 14}
        width={28}
        y={yOf(1)}
        height={yOf(0) - yOf(1)}
        fill="transparent"
        className="cursor-ns-resize"
        onClick={(event) => event.stopPropagation()}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId)
          from.current = shareAt(event)
        }}
        onPointerMove={(event) => {
          if (from.current === undefined) return
          const to = shareAt(event)
          if (Math.abs(to - from.current) > 0.02)
            onRange([Math.min(to, from.current), Math.max(to, from.current)])
        }}
        onPointerUp={(event) => {
          const start = from.current
          from.current = undefined
          if (start !== undefined && Math.abs(shareAt(event) - start) <= 0.02) onRange(undefined)
        }}
      />
    </g>
  )
}

function shortened(text: string, lengthMax = 16): string {
  return text.length <= lengthMax ? text : `${text.slice(0, lengthMax - 1)}…`
}
