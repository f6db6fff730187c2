import { formatCount, formatNumber } from '../lib/format.ts'
import type { XKind } from './lines.ts'
import { xText } from './plot.ts'

export type ReadoutRow = { id: string; label: string; colour: string; value: number; raw: number }

export type Reading = {
  /** CSS pixels inside the plot. */
  left: number
  plotWidth: number
  x: number
  xName: string
  xKind: XKind
  rows: ReadoutRow[]
  more: number
  pointsPerPixel: number
}

/** What stands under the pointer: the nearest line first, then the others by distance. */
export function Readout({ reading, smoothing }: { reading: Reading; smoothing: boolean }) {
  const right = reading.left > reading.plotWidth / 2
  return (
    <div
      className="pointer-events-none absolute top-2 z-20 max-w-[min(18rem,80%)] rounded-md border border-line-strong bg-raised/95 px-2 py-1.5 text-xs shadow-float"
      style={right ? { right: reading.plotWidth - reading.left + 22 } : { left: reading.left + 66 }}
    >
      <div className="mb-0.5 text-ink-faint">
        {reading.xName} <span className="text-ink">{xText(reading.x, reading.xKind)}</span>
      </div>
      {reading.rows.map((row, i) => (
        <div key={row.id} className={`flex items-center gap-1.5 ${i === 0 ? 'font-semibold' : ''}`}>
          <span className="size-2 shrink-0 rounded-full" style={{ background: row.colour }} />
          <span className="shrink-0 tabular-nums">{formatNumber(row.value)}</span>
          {smoothing && (
            <span className="shrink-0 font-normal text-ink-faint tabular-nums">
              ({formatNumber(row.raw)})
            </span>
          )}
          <span className="truncate text-ink-soft">{row.label}</span>
        </div>
      ))}
      {reading.more > 0 && <div className="text-ink-faint">and {formatCount(reading.more)} more</div>}
      {reading.pointsPerPixel > 1.05 && (
        <div className="mt-0.5 text-ink-faint">
          {formatNumber(Number(reading.pointsPerPixel.toPrecision(2)))} points per pixel
        </div>
      )}
    </div>
  )
}
