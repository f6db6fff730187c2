/**
 * Curves. A short curve is read whole; a longer one is thinned inside the engine, in one scan, to the lowest and highest
 * value of every bucket of the x axis and to its first and last point; one that is very long is thinned from its level
 * (`metric-level.ts`), which also knows between which lines a zoom lies. Where a curve may lie is known beforehand from
 * the `keys` table, so nothing is scanned to find where to cut.
 *
 * The answer depends on the stored points alone, not on their order, their parts, or how often one was sent: extremes
 * are taken of (value, x) pairs packed into one 128-bit integer that sorts like the pair (`packed-points.ts`), so a tie
 * has one winner.
 * Source: min–max decimation; compare M4 (Jugel et al., VLDB 2014).
 */
import { GridError } from '@teamgrid/api'
import type { Curve, MetricStore, SampleQuery } from './metric-types.ts'
import { axisColumn, type Levels } from './metric-level.ts'
import { type Ask, type Bind, bindFloat, bindFloats, createBinder, readNumber } from './metric-query.ts'
import { planThinning, thin } from './metric-thin.ts'
import { ordered, packed, type Point, unpacked } from './packed-points.ts'

const pointsMaxLimit = 10_000
/** Curves thinned by one statement. */
const curvesPerStatement = 32
/** Where values go that cannot be drawn; far above the number of buckets. */
const noBucket = 65535

/** Where a curve may lie on the asked axis. Rows count a resent line again, until the engine has merged it away. */
type Extent = {
  experimentId: string
  key: string
  rowsMax: number
  /** Was any line sent twice? Then points must be counted by line, which costs a third more. */
  resent: boolean
  low: number
  high: number
  /** Between which lines what is asked lies, if that is known. */
  lines?: { from: number; to: number }
}

export function createSample(ask: Ask, levels: Levels): MetricStore['sample'] {
  return async (query) => {
    checkQuery(query)
    if (query.experimentIds.length === 0 || query.keys.length === 0) return []
    const curves = new Map<string, Curve>()
    const extents: Extent[] = []
    for (const extent of await findExtents(ask, query)) {
      const found = extent.rowsMax > query.pointsMax ? await fromLevel(levels, query, extent) : extent
      if ('points' in found) curves.set(nameOf(found.experimentId, found.key), found)
      else extents.push(found)
    }
    const short = extents.filter((extent) => extent.rowsMax <= query.pointsMax)
    const long = extents.filter((extent) => extent.rowsMax > query.pointsMax)
    for (let start = 0; start < long.length; start += curvesPerStatement) {
      const some = long.slice(start, start + curvesPerStatement)
      const counts = await addThinned(ask, query, some, curves)
      short.push(...some.filter((_, index) => counts[index]! > 0 && counts[index]! <= query.pointsMax))
    }
    await addWhole(ask, query, short, curves)
    const found = query.experimentIds.flatMap((experimentId) =>
      query.keys.flatMap((key) => curves.get(nameOf(experimentId, key)) ?? []),
    )
    return found.filter((curve) => curve.points > 0)
  }
}

function checkQuery({ pointsMax, from, to }: SampleQuery): void {
  if (!Number.isInteger(pointsMax) || pointsMax < 2 || pointsMax > pointsMaxLimit || pointsMax % 2 !== 0)
    throw new GridError('invalid', `pointsMax is ${pointsMax}; it must be even, 2 … ${pointsMaxLimit}.`)
  if (Number.isNaN(from) || Number.isNaN(to)) throw new GridError('invalid', 'A range needs numbers.')
}

function nameOf(experimentId: string, key: string): string {
  return `${experimentId} ${key}`
}

async function findExtents(ask: Ask, query: SampleQuery): Promise<Extent[]> {
  const { bind, params } = createBinder()
  const axis = typeof query.x === 'string' ? query.x : 'step'
  const rows = await ask<[string, string, number, number, number | string, number | string]>(
    `SELECT experiment, key, sum(rows_max), groupBitmapMerge(lines), min(${axis}_low), max(${axis}_high) FROM keys
     WHERE experiment IN ${bind(query.experimentIds, 'Array(UUID)')} AND stream = ${bind(query.stream, 'String')}
       AND kind = 'number' AND key IN ${bind(query.keys, 'Array(String)')}
     GROUP BY experiment, key`,
    params,
  )
  const extents = rows.map(([experimentId, key, rowsMax, lines, low, high]) => ({
    experimentId,
    key,
    rowsMax,
    resent: rowsMax !== lines,
    low: Math.max(readNumber(low), query.from ?? -Infinity),
    high: Math.min(readNumber(high), query.to ?? Infinity),
  }))
  if (typeof query.x === 'string') return extents.filter((extent) => extent.low <= extent.high)
  return extentsOnKey(ask, query, query.x.key, extents)
}

/** Nobody knows beforehand between which values another key lies. */
async function extentsOnKey(ask: Ask, query: SampleQuery, key: string, extents: Extent[]): Promise<Extent[]> {
  const ranges = new Map<string, [number, number]>()
  for (const experimentId of new Set(extents.map((extent) => extent.experimentId))) {
    const { bind, params } = createBinder()
    const [[low, high] = [Infinity, -Infinity]] = await ask<[number | string, number | string]>(
      `SELECT minIf(value, isFinite(value)), maxIf(value, isFinite(value)) FROM points
       WHERE ${ofCurve(query, experimentId, key, bind)} HAVING countIf(isFinite(value)) > 0`,
      params,
    )
    ranges.set(experimentId, [readNumber(low), readNumber(high)])
  }
  return extents
    .map((extent) => {
      const [low, high] = ranges.get(extent.experimentId)!
      return {
        ...extent,
        low: Math.max(low, query.from ?? -Infinity),
        high: Math.min(high, query.to ?? Infinity),
      }
    })
    .filter((extent) => extent.low <= extent.high)
}

/** The curve, if it could be drawn from its level; else what the level tells about where to look. */
async function fromLevel(levels: Levels, query: SampleQuery, extent: Extent): Promise<Curve | Extent> {
  const { experimentId, key, resent, low, high } = extent
  const { stream, x, pointsMax } = query
  if (typeof x !== 'string') return extent
  const name = { experimentId, stream, key, x, resent: resent || query.rewritten.has(experimentId) }
  const level = await levels.find(name, extent.rowsMax)
  const range = { low, high, buckets: bucketsOf(query) }
  const plan = level && planThinning(level, range)
  if (!plan) return extent
  if ('lines' in plan) return { ...extent, ...plan }
  const odd = level.odd.filter((row) => row.x >= low && row.x <= high)
  if (odd.length > pointsMax) return extent
  const { extremes, ends, points } = thin(level, range, plan, await levels.pointsOf(name, level, plan.read))
  return {
    experimentId,
    key,
    ...drawn(extremes, ends, pointsMax),
    nonFinite: odd.map(({ x: at, value }) => ({ x: at, value: nonFiniteName(value) })),
    points: points + odd.length,
  }
}

type NonFinite = Curve['nonFinite'][number]['value']

function nonFiniteName(value: number | string): NonFinite {
  return String(typeof value === 'number' ? value : readNumber(value)) as NonFinite
}

type BucketRow = [
  curve: number,
  count: number,
  finite: number,
  lowest: string,
  highest: string,
  first: string,
  last: string,
]

/** @returns how many points each curve has in range, in the order of `extents`. */
async function addThinned(
  ask: Ask,
  query: SampleQuery,
  extents: Extent[],
  curves: Map<string, Curve>,
): Promise<number[]> {
  if (extents.length === 0) return []
  const { bind, params } = createBinder()
  const buckets = bucketsOf(query)
  // One part reads one key of all experiments that have it: each further part takes the engine longer to prepare than
  // to run, when curves are not huge.
  const parts = [...Map.groupBy(extents.entries(), ([, extent]) => extent.key).values()].map((some) => {
    const place = placesOf(
      some.map(([index, extent]) => ({ index, ...extent })),
      buckets,
      bind,
    )
    const resent = some.some(([, extent]) => extent.resent)
    return `SELECT curve, bucket, ${resent ? 'groupBitmap(line)' : 'count()'} AS lines,
              min(${packed('oy', 'ox')}) AS lowest, max(${packed('oy', 'ox')}) AS highest,
              min(${packed('ox', 'oy')}) AS first, max(${packed('ox', 'oy')}) AS last
            FROM
            (
              SELECT line, ${place.curve} AS curve, if(isFinite(value), ${place.bucket}, ${noBucket}) AS bucket,
                     ${ordered('x')} AS ox, ${ordered('value')} AS oy
              FROM (${pointsOf(
                query,
                some.map(([, extent]) => extent),
                bind,
              )})
            )
            GROUP BY curve, bucket`
  })
  const rows = await ask<BucketRow>(
    `SELECT curve, lines, bucket != ${noBucket}, hex(lowest), hex(highest), hex(first), hex(last)
     FROM (${parts.join(' UNION ALL ')}) ORDER BY curve, bucket`,
    params,
  )
  for (const [index, { experimentId, key }] of extents.entries()) {
    const ofCurve = rows.filter((row) => row[0] === index)
    const points = ofCurve.reduce((sum, row) => sum + row[1], 0)
    const finite = ofCurve.filter((row) => row[2] === 1)
    const extremes = finite
      .flatMap(([, , , lowest, highest]) => [lowest, highest])
      .map((pair) => flipped(unpacked(pair)))
    const ends = finite.length === 0 ? [] : [unpacked(finite[0]![5]), unpacked(finite.at(-1)![6])]
    const curve: Curve = {
      experimentId,
      key,
      ...drawn(extremes, ends, query.pointsMax),
      nonFinite: [],
      points,
    }
    if (finite.length < ofCurve.length) curve.nonFinite = await findNonFinite(ask, query, extents[index]!)
    curves.set(nameOf(experimentId, key), curve)
  }
  return extents.map(({ experimentId, key }) => curves.get(nameOf(experimentId, key))!.points)
}

/** Two points of every bucket and the two ends; if two points are all, the lowest and the highest. */
function bucketsOf({ pointsMax }: SampleQuery): number {
  return Math.max(1, pointsMax / 2 - 1)
}

/** Of each row: the place of its curve in `extents`, and its bucket between the low and high end of that curve. */
function placesOf(
  curves: (Extent & { index: number })[],
  buckets: number,
  bind: Bind,
): { curve: string; bucket: string } {
  const scaleOf = ({ low, high }: Extent): number => (high > low ? buckets / (high - low) : 0)
  const between = (low: string, scale: string): string =>
    `toUInt16(least(greatest((x - ${low}) * ${scale}, 0), ${buckets - 1}))`
  const only = curves.length === 1 ? curves[0] : undefined
  if (only !== undefined)
    return {
      curve: `toUInt16(${only.index})`,
      bucket: between(bindFloat(bind, only.low), bindFloat(bind, scaleOf(only))),
    }
  const position = `indexOf(${bind(
    curves.map((curve) => curve.experimentId),
    'Array(UUID)',
  )}, experiment)`
  const indices = bind(
    curves.map((curve) => curve.index),
    'Array(UInt16)',
  )
  const lows = bindFloats(
    bind,
    curves.map((curve) => curve.low),
  )
  return {
    curve: `${indices}[${position}]`,
    bucket: between(`${lows}[${position}]`, `${bindFloats(bind, curves.map(scaleOf))}[${position}]`),
  }
}

/** What is drawn of a thinned curve, in order of x, each point once. */
function drawn(extremes: Point[], ends: Point[], pointsMax: number): { x: number[]; y: number[] } {
  const points = pointsMax > 2 ? [...extremes, ...ends] : extremes
  points.sort((a, b) => a[0] - b[0] || a[1] - b[1])
  const once = points.filter(
    ([x, y], index) => index === 0 || x !== points[index - 1]![0] || y !== points[index - 1]![1],
  )
  return { x: once.map(([x]) => x), y: once.map(([, y]) => y) }
}

/** Values that cannot be drawn. When there are too many, the first of its kind in each of a number of buckets. */
async function findNonFinite(ask: Ask, query: SampleQuery, extent: Extent): Promise<Curve['nonFinite']> {
  const { low, high } = extent
  const { bind, params } = createBinder()
  const buckets = Math.max(1, Math.floor(query.pointsMax / 3))
  const scale = bindFloat(bind, high > low ? buckets / (high - low) : 0)
  const rows = await ask<[number, number | string]>(
    `WITH found AS
     (
       SELECT DISTINCT x, line, value FROM (${pointsOf(query, [extent], bind)}) WHERE NOT isFinite(value)
     )
     SELECT min(x) AS first, any(value)
     FROM found
     GROUP BY toString(value) AS name,
       if((SELECT count() FROM found) <= ${bind(query.pointsMax, 'UInt64')}, toInt64(line),
          toInt64(least(greatest((x - ${bindFloat(bind, low)}) * ${scale}, 0), ${buckets - 1})))
     ORDER BY first, name
     LIMIT ${bind(query.pointsMax, 'UInt64')}`,
    params,
  )
  return rows.map(([x, value]) => ({
    x,
    value: nonFiniteName(value),
  }))
}

/** Curves that fit: every point as it was logged, those of one x in the order of their lines. */
async function addWhole(
  ask: Ask,
  query: SampleQuery,
  extents: Extent[],
  curves: Map<string, Curve>,
): Promise<void> {
  for (const some of rectangles(extents)) {
    const { bind, params } = createBinder()
    const rows = await ask<[string, string, number[], (number | string)[]]>(
      `SELECT experiment, key, groupArray(x), groupArray(value) FROM
       (
         SELECT DISTINCT experiment, key, x, line, value FROM (${pointsOf(query, some, bind)})
         ORDER BY experiment, key, x, line
       )
       GROUP BY experiment, key`,
      params,
    )
    for (const [experimentId, key, xs, values] of rows) {
      const curve: Curve = { experimentId, key, x: [], y: [], nonFinite: [], points: xs.length }
      for (const [index, value] of values.entries()) {
        const x = xs[index]!
        if (typeof value === 'number') {
          curve.x.push(x)
          curve.y.push(value)
        } else curve.nonFinite.push({ x, value: nonFiniteName(value) })
      }
      curves.set(nameOf(experimentId, key), curve)
    }
  }
}

/** Curves grouped so that each group is all of some keys for all of some experiments, and one statement reads it. */
function rectangles(extents: Extent[]): Extent[][] {
  const keysOf = Map.groupBy(extents, (extent) => extent.experimentId)
  const groups = Map.groupBy(keysOf, ([, some]) => JSON.stringify(some.map((extent) => extent.key).sort()))
  return [...groups.values()].map((group) => group.flatMap(([, some]) => some))
}

/**
 * The points of some curves, of each experiment all of the keys, as (experiment, key, line, x, value), with what was
 * replaced left out and x in range.
 */
function pointsOf(query: SampleQuery, some: Extent[], bind: Bind): string {
  const experiments = oneOrMany(some.map((extent) => extent.experimentId))
  const keys = oneOrMany(some.map((extent) => extent.key))
  const inRange = [
    'isFinite(x)',
    ...(query.from === null ? [] : [`x >= ${bindFloat(bind, query.from)}`]),
    ...(query.to === null ? [] : [`x <= ${bindFloat(bind, query.to)}`]),
  ].join(' AND ')
  const lines = linesOf(some, bind)
  const asked = `${ofCurve(query, experiments, keys, bind, lines)}${lines}`
  if (typeof query.x === 'string') {
    const x = axisColumn(query.x)
    return `SELECT experiment, key, line, ${x} AS x, value FROM points WHERE ${asked} AND ${inRange}`
  }
  return `SELECT p.experiment AS experiment, p.key AS key, p.line AS line, a.x AS x, p.value AS value
          FROM (SELECT experiment, key, line, value FROM points WHERE ${asked}) AS p
          INNER JOIN (SELECT experiment, line, any(value) AS x FROM points
                      WHERE ${ofCurve(query, experiments, query.x.key, bind)} GROUP BY experiment, line) AS a
          ON p.experiment = a.experiment AND p.line = a.line
          WHERE ${inRange}`
}

/** Lines are in the primary key, so reading those is faster than looking everywhere for an x in range. */
function linesOf(some: Extent[], bind: Bind): string {
  const from = Math.min(...some.map(({ lines }) => lines?.from ?? 0))
  const to = Math.max(...some.map(({ lines }) => lines?.to ?? Infinity))
  return Number.isFinite(to) ? ` AND line BETWEEN ${bind(from, 'UInt64')} AND ${bind(to, 'UInt64')}` : ''
}

function oneOrMany(values: string[]): string | string[] {
  const once = [...new Set(values)]
  return once.length === 1 ? once[0]! : once
}

/** Only experiments whose lines were ever replaced pay for looking up which version of a line counts. */
function ofCurve(
  query: SampleQuery,
  experiments: string | string[],
  keys: string | string[],
  bind: Bind,
  lines = '',
): string {
  const stream = bind(query.stream, 'String')
  const asked = `${isOf('experiment', 'UUID', experiments, bind)} AND stream = ${stream} AND ${isOf('key', 'String', keys, bind)}`
  const rewritten = [experiments].flat().filter((id) => query.rewritten.has(id))
  if (rewritten.length === 0) return asked
  if (!Array.isArray(experiments))
    return `${asked} AND (line, version) IN (SELECT line, max(version) FROM lines
            WHERE experiment = ${bind(experiments, 'UUID')} AND stream = ${stream}${lines} GROUP BY line)`
  const ids = bind(rewritten, 'Array(UUID)')
  return `${asked} AND (experiment NOT IN ${ids}
          OR (experiment, line, version) IN (SELECT experiment, line, max(version) FROM lines
              WHERE experiment IN ${ids} AND stream = ${stream}${lines} GROUP BY experiment, line))`
}

/** Equality where it will do: the engine compares faster than it looks up. */
function isOf(column: string, type: string, values: string | string[], bind: Bind): string {
  return Array.isArray(values)
    ? `${column} IN ${bind(values, `Array(${type})`)}`
    : `${column} = ${bind(values, type)}`
}

function flipped([y, x]: Point): Point {
  return [x, y]
}
