/** A curve thinned from its level: which blocks are taken as they are, which must be read, and what is drawn. */
import { type Level, linesOf } from './metric-level.ts'
import type { Point } from './packed-points.ts'

/** A bucket needs so many blocks, and blocks wider than half of one are read: its ends lie where a block begins. */
const blocksPerBucket = 3
const widestBlock = 0.5
/** Blocks that are read as points; beyond, reading the range is as fast. */
const readMax = 16

export type Range = { low: number; high: number; buckets: number }

export type Thinning =
  /** The asked range is narrow: these lines hold it, with so many rows or fewer. */
  | { lines: { from: number; to: number }; rowsMax: number }
  /** Blocks `[start, end)` lie in the range, and the points of some of them must be read. */
  | { start: number; end: number; read: number[] }

/** How to thin a range. Blocks at its edges are read, and wide blocks, as around a pause. */
export function planThinning(level: Level, { low, high, buckets }: Range): Thinning | undefined {
  const { first, last } = level
  const start = firstIndex(level.numbers.length, (index) => last[index * 2]! >= low)
  const end = firstIndex(level.numbers.length, (index) => first[index * 2]! > high)
  if (start >= end) return undefined
  const read: number[] = []
  const widest = ((high - low) / buckets) * widestBlock
  for (let index = start; index < end; index++) {
    const [begins, ends] = [first[index * 2]!, last[index * 2]!]
    if (begins < low || ends > high || ends - begins > widest) read.push(index)
  }
  if (end - start >= buckets * blocksPerBucket && read.length <= readMax) return { start, end, read }
  const odd = level.odd.filter(({ x }) => x >= low && x <= high)
  const { from, to } = linesOf(level, start, end - 1)
  return {
    lines: odd.reduce((all, { line }) => ({ from: Math.min(all.from, line), to: Math.max(all.to, line) }), {
      from,
      to,
    }),
    rowsMax: level.counts.slice(start, end).reduce((sum, count) => sum + count, odd.length),
  }
}

/**
 * The lowest and highest point of every bucket, the first and the last of all, and how many there are.
 *
 * @param read the points of the blocks that the plan says must be read; those out of range are left out.
 */
export function thin(
  level: Level,
  { low, high, buckets }: Range,
  plan: { start: number; end: number; read: number[] },
  read: Point[],
): { extremes: Point[]; ends: Point[]; points: number } {
  const lowest: (Point | undefined)[] = []
  const highest: (Point | undefined)[] = []
  let first: Point | undefined
  let last: Point | undefined
  let points = 0
  const scale = high > low ? buckets / (high - low) : 0
  const bucketOf = (x: number) => Math.min(buckets - 1, Math.floor((x - low) * scale))
  const offer = (bucket: number, bottom: Point, top: Point, begin: Point, end: Point) => {
    const [lowestYet, highestYet] = [lowest[bucket], highest[bucket]]
    if (!lowestYet || isBelow(bottom, lowestYet)) lowest[bucket] = bottom
    if (!highestYet || isBelow(highestYet, top)) highest[bucket] = top
    if (!first || isBefore(begin, first)) first = begin
    if (!last || isBefore(last, end)) last = end
  }
  const readBlocks = new Set(plan.read)
  for (let index = plan.start; index < plan.end; index++) {
    if (readBlocks.has(index)) continue
    const begin = pairAt(level.first, index)
    offer(
      bucketOf(begin[0]),
      flipped(pairAt(level.lowest, index)),
      flipped(pairAt(level.highest, index)),
      begin,
      pairAt(level.last, index),
    )
    points += level.counts[index]!
  }
  for (const point of read) {
    if (point[0] < low || point[0] > high) continue
    offer(bucketOf(point[0]), point, point, point, point)
    points += 1
  }
  return {
    extremes: [...lowest, ...highest].filter((point) => point !== undefined),
    ends: first && last ? [first, last] : [],
    points,
  }
}

function isBelow(a: Point, b: Point): boolean {
  return a[1] < b[1] || (a[1] === b[1] && a[0] < b[0])
}

function isBefore(a: Point, b: Point): boolean {
  return a[0] < b[0] || (a[0] === b[0] && a[1] < b[1])
}

function pairAt(pairs: Float64Array, index: number): Point {
  return [pairs[index * 2]!, pairs[index * 2 + 1]!]
}

function flipped([y, x]: Point): Point {
  return [x, y]
}

/** @param holds false for all below some index and true from it on. */
function firstIndex(length: number, holds: (index: number) => boolean): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >> 1
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}
