/**
 * What a chart draws, and the pure questions it asks of it. A line's points are the server's: at most a few per pixel,
 * each bucket's lowest and highest kept, so drawing through them in order shows every spike at any zoom.
 */

export type NonFinite = { x: number; value: 'NaN' | 'Infinity' | '-Infinity' }

export type Line = {
  id: string
  label: string
  /** CSS colour. */
  colour: string
  /** Ascending, in the unit of the x axis. */
  x: readonly number[]
  /** Same length, finite, in the metric's own unit. */
  y: ArrayLike<number>
  /** What was logged and is no number; the line breaks there and a mark stands on the axis. */
  nonFinite: readonly NonFinite[]
  /** How many logged points stand behind the drawn ones in this range. */
  points: number
  /** Up to here it is the line of another experiment, from which this one branched after a step. */
  branch?: { x: number; step: number | null } | undefined
}

export type Range = { from: number; to: number }

/** What the x axis means; it decides how its numbers read. */
export type XKind = 'step' | 'runtime' | 'timestamp' | 'value'

/** First and last x over all lines, marks included; undefined when nothing was logged. */
export function xExtent(lines: readonly Line[]): Range | undefined {
  let from = Infinity
  let to = -Infinity
  for (const line of lines) {
    for (const x of [line.x[0], line.x.at(-1), line.nonFinite[0]?.x, line.nonFinite.at(-1)?.x]) {
      if (x === undefined) continue
      from = Math.min(from, x)
      to = Math.max(to, x)
    }
  }
  return from <= to ? { from, to } : undefined
}

/**
 * Lowest and highest y inside an x range. On a log axis values ≤ 0 do not exist.
 *
 * @param values the y of a line to look at; smoothed and raw are asked with the same x.
 */
export function yExtent(lines: readonly Line[], range: Range, log: boolean): Range | undefined {
  let from = Infinity
  let to = -Infinity
  for (const line of lines) {
    const last = Math.min(line.x.length - 1, indexAtOrAfter(line.x, range.to))
    for (let i = Math.max(0, indexAtOrAfter(line.x, range.from) - 1); i <= last; i += 1) {
      const y = line.y[i]!
      if (!Number.isFinite(y) || (log && y <= 0)) continue
      if (y < from) from = y
      if (y > to) to = y
    }
  }
  return from <= to ? { from, to } : undefined
}

/** Index of the first x ≥ value; the length when there is none. */
export function indexAtOrAfter(x: readonly number[], value: number): number {
  let low = 0
  let high = x.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (x[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}

/** Index of the point closest to `value` along x; −1 for an empty line. */
export function indexNearest(x: readonly number[], value: number): number {
  if (x.length === 0) return -1
  const after = indexAtOrAfter(x, value)
  if (after === 0) return 0
  if (after === x.length) return x.length - 1
  return value - x[after - 1]! <= x[after]! - value ? after - 1 : after
}

/** A little air above and below, and a sane band around a flat line. On a log axis the air is a factor. */
export function padded(extent: Range, log: boolean): Range {
  if (log) {
    const factor = extent.from === extent.to ? 2 : (extent.to / extent.from) ** 0.05
    return { from: extent.from / factor, to: extent.to * factor }
  }
  const size = extent.to - extent.from
  const air = size === 0 ? Math.abs(extent.to) * 0.1 || 1 : size * 0.06
  return { from: extent.from - air, to: extent.to + air }
}

/** Comma-separated values, one row per point: what is drawn, unsmoothed. Cells are quoted as RFC 4180 asks. */
export function toCsv(lines: readonly Line[], xName: string, yName: string): string {
  const rows = [['experiment', xName, yName]]
  for (const line of lines) {
    const marks = line.nonFinite.map((mark) => [mark.x, mark.value] as const)
    const points = line.x.map((x, i) => [x, String(line.y[i])] as const)
    for (const [x, y] of [...points, ...marks].toSorted((a, b) => a[0] - b[0]))
      rows.push([line.label, String(x), y])
  }
  return rows.map((row) => row.map(csvCell).join(',')).join('\r\n') + '\r\n'
}

export function csvCell(text: string): string {
  // A spreadsheet would run a cell that begins like a formula; numbers may begin with a minus.
  const safe = /^[=+@\t\r]/.test(text) || /^-[^\d.]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
