/**
 * Curves. A short curve is read whole; a long one is thinned inside the engine to the lowest and highest value of
 * every bucket of the x axis. Buckets are cut between the first and last x of the curve in the asked range, which have
 * a bucket of their own, so both ends are kept.
 *
 * The answer depends on the stored points alone, not on their order, their parts, or how often one was sent: extremes
 * are taken of (value, x) pairs packed into one 128-bit integer that sorts like the pair, so a tie has one winner.
 * Source: min–max decimation; compare M4 (Jugel et al., VLDB 2014).
 */
import { GridError } from '@teamgrid/api'
import type { Curve, MetricStore, SampleQuery } from './metric-types.ts'
import { type Ask, bindFloat, createBinder, readNumber } from './metric-query.ts'

const pointsMaxLimit = 10_000
/** Curves thinned by one statement. */
const curvesPerStatement = 16

type Extent = {
  experimentId: string
  key: string
  finite: number
  nonFinite: number
  low: number
  high: number
}

export function createSample(ask: Ask): MetricStore['sample'] {
  return async (query) => {
    checkQuery(query)
    if (query.experimentIds.length === 0 || query.keys.length === 0) return []
    const extents = await findExtents(ask, query)
    const short = extents.filter((extent) => extent.finite > 0 && extent.finite <= query.pointsMax)
    const long = extents.filter((extent) => extent.finite > query.pointsMax)
    const curves = new Map<string, Curve>()
    for (const { experimentId, key, finite, nonFinite } of extents)
      curves.set(nameOf(experimentId, key), {
        experimentId,
        key,
        x: [],
        y: [],
        nonFinite: [],
        points: finite + nonFinite,
      })
    await addWhole(ask, query, short, curves)
    for (let start = 0; start < long.length; start += curvesPerStatement)
      await addThinned(ask, query, long.slice(start, start + curvesPerStatement), curves)
    await addNonFinite(
      ask,
      query,
      extents.filter((extent) => extent.nonFinite > 0),
      curves,
    )
    return query.experimentIds.flatMap((experimentId) =>
      query.keys.flatMap((key) => curves.get(nameOf(experimentId, key)) ?? []),
    )
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

/** What is there to draw: one scan over the asked curves. */
async function findExtents(ask: Ask, query: SampleQuery): Promise<Extent[]> {
  const binder = createBinder()
  const rows = await ask<[string, string, number, number, number | string, number | string]>(
    `SELECT experiment, key, groupBitmapIf(line, isFinite(value)), groupBitmapIf(line, NOT isFinite(value)),
            minIf(x, isFinite(value)), maxIf(x, isFinite(value))
     FROM (${pointsOf(query, query.experimentIds, query.keys, binder.bind)})
     GROUP BY experiment, key`,
    binder.params,
  )
  return rows.map(([experimentId, key, finite, nonFinite, low, high]) => ({
    experimentId,
    key,
    finite,
    nonFinite,
    low: readNumber(low),
    high: readNumber(high),
  }))
}

async function addWhole(
  ask: Ask,
  query: SampleQuery,
  extents: Extent[],
  curves: Map<string, Curve>,
): Promise<void> {
  if (extents.length === 0) return
  const { bind, params } = createBinder()
  const experimentIds = [...new Set(extents.map((extent) => extent.experimentId))]
  const keys = [...new Set(extents.map((extent) => extent.key))]
  const wanted = bind(
    extents.map((extent) => nameOf(extent.experimentId, extent.key)),
    'Array(String)',
  )
  const rows = await ask<[string, string, number[], number[]]>(
    `SELECT experiment, key, groupArray(x), groupArray(value) FROM
     (
       SELECT DISTINCT experiment, key, x, line, value
       FROM (${pointsOf(query, experimentIds, keys, bind)})
       WHERE isFinite(value) AND concat(toString(experiment), ' ', key) IN ${wanted}
       ORDER BY experiment, key, x, line
     )
     GROUP BY experiment, key`,
    params,
  )
  for (const [experimentId, key, x, y] of rows) {
    const curve = curves.get(nameOf(experimentId, key))!
    curve.x = x
    curve.y = y
  }
}

async function addThinned(
  ask: Ask,
  query: SampleQuery,
  extents: Extent[],
  curves: Map<string, Curve>,
): Promise<void> {
  if (extents.length === 0) return
  const { bind, params } = createBinder()
  const parts = extents.map((extent, index) => {
    const bucket = bucketOf(extent, query.pointsMax, bind)
    return `SELECT ${index} AS curve, ${bucket} AS bucket, min(${packed('value', 'x')}) AS lowest, max(${packed('value', 'x')}) AS highest
            FROM (${pointsOf(query, [extent.experimentId], [extent.key], bind)})
            WHERE isFinite(value) GROUP BY bucket`
  })
  const rows = await ask<[number, number, number, number, number]>(
    `SELECT curve, ${unpackedHigh('lowest')}, ${unpackedLow('lowest')}, ${unpackedHigh('highest')}, ${unpackedLow('highest')}
     FROM (${parts.join(' UNION ALL ')}) ORDER BY curve, bucket`,
    params,
  )
  for (const [index, lowY, lowX, highY, highX] of rows) {
    const { experimentId, key } = extents[index]!
    const { x, y } = curves.get(nameOf(experimentId, key))!
    const lowFirst = lowX <= highX
    x.push(lowFirst ? lowX : highX)
    y.push(lowFirst ? lowY : highY)
    if (lowX === highX && lowY === highY) continue
    x.push(lowFirst ? highX : lowX)
    y.push(lowFirst ? highY : lowY)
  }
}

/**
 * Two points a bucket, and the ends have one bucket each. With fewer than six points there is no room for both, and
 * the lowest and highest of the whole matter more.
 */
function bucketOf(
  { low, high }: Extent,
  pointsMax: number,
  bind: (value: unknown, type: string) => string,
): string {
  const ends = pointsMax < 6 ? 0 : 2
  const inner = pointsMax / 2 - ends
  const first = bindFloat(bind, low)
  const scale = bindFloat(bind, high > low ? inner / (high - low) : 0)
  const place = `least(toInt32(floor((x - ${first}) * ${scale})), ${inner - 1})`
  if (ends === 0) return place
  return `multiIf(x <= ${first}, -1, x >= ${bindFloat(bind, high)}, ${inner}, ${place})`
}

/** Values that cannot be drawn. When there are too many, the first of its kind in each of a number of buckets. */
async function addNonFinite(
  ask: Ask,
  query: SampleQuery,
  extents: Extent[],
  curves: Map<string, Curve>,
): Promise<void> {
  for (const { experimentId, key } of extents) {
    const { bind, params } = createBinder()
    const buckets = Math.max(1, Math.floor(query.pointsMax / 3))
    const rows = await ask<[number, number | string]>(
      `WITH found AS
       (
         SELECT DISTINCT x, line, value, toString(value) AS name
         FROM (${pointsOf(query, [experimentId], [key], bind)}) WHERE NOT isFinite(value)
       ),
       (SELECT count() FROM found) AS total, (SELECT min(x) FROM found) AS low, (SELECT max(x) FROM found) AS high
       SELECT min(x) AS first, any(value)
       FROM found
       GROUP BY name, if(total <= ${query.pointsMax}, toInt64(line),
                         toInt64(floor((x - low) / greatest(high - low, 1e-300) * ${buckets - 1}))) AS bucket
       ORDER BY first, name
       LIMIT ${query.pointsMax}`,
      params,
    )
    curves.get(nameOf(experimentId, key))!.nonFinite = rows.map(([x, value]) => ({
      x,
      value: String(readNumber(value)) as 'NaN' | 'Infinity' | '-Infinity',
    }))
  }
}

/** The asked points as (experiment, key, line, x, value), with what was replaced left out and x in range. */
function pointsOf(
  query: SampleQuery,
  experimentIds: string[],
  keys: string[],
  bind: (value: unknown, type: string) => string,
): string {
  const experiments = bind(experimentIds, 'Array(UUID)')
  const curves = (of: string): string =>
    `experiment IN ${experiments} AND stream = '${query.stream === 'system' ? 'system' : 'history'}' AND key IN ${of}${current(query, experimentIds, bind)}`
  const asked = curves(bind(keys, 'Array(String)'))
  const inRange = [
    'isFinite(x)',
    ...(query.from === null ? [] : [`x >= ${bindFloat(bind, query.from)}`]),
    ...(query.to === null ? [] : [`x <= ${bindFloat(bind, query.to)}`]),
  ].join(' AND ')
  if (typeof query.x === 'string') {
    const x = { step: 'toFloat64(step)', runtime: 'runtime', timestamp: 'timestamp' }[query.x]
    return `SELECT experiment, key, line, ${x} AS x, value FROM points WHERE ${asked} AND ${inRange}`
  }
  return `SELECT p.experiment AS experiment, p.key AS key, p.line AS line, a.x AS x, p.value AS value
          FROM (SELECT experiment, key, line, value FROM points WHERE ${asked}) AS p
          INNER JOIN (SELECT experiment, line, min(value) AS x FROM points
                      WHERE ${curves(bind([query.x.key], 'Array(String)'))} GROUP BY experiment, line) AS a
          ON p.experiment = a.experiment AND p.line = a.line
          WHERE ${inRange}`
}

/** Only experiments whose lines were ever replaced pay for looking up which version of a line counts. */
function current(
  query: SampleQuery,
  experimentIds: string[],
  bind: (value: unknown, type: string) => string,
): string {
  const rewritten = experimentIds.filter((id) => query.rewritten.has(id))
  if (rewritten.length === 0) return ''
  const ids = bind(rewritten, 'Array(UUID)')
  const counts = `(experiment, line, version) IN (SELECT experiment, line, max(version) FROM lines
                  WHERE experiment IN ${ids} AND stream = '${query.stream === 'system' ? 'system' : 'history'}' GROUP BY experiment, line)`
  return rewritten.length === experimentIds.length
    ? ` AND ${counts}`
    : ` AND (experiment NOT IN ${ids} OR ${counts})`
}

const signBit = "toUInt64('9223372036854775808')"

/** A float as an unsigned integer of the same order: sign bit flipped, and all others too when negative. */
function ordered(column: string): string {
  const bits = `reinterpretAsUInt64(${column})`
  return `if(bitAnd(${bits}, ${signBit}) = 0, bitOr(${bits}, ${signBit}), bitNot(${bits}))`
}

function packed(high: string, low: string): string {
  return `bitOr(bitShiftLeft(toUInt128(${ordered(high)}), 64), toUInt128(${ordered(low)}))`
}

function restored(bits: string): string {
  return `reinterpretAsFloat64(if(bitAnd(${bits}, ${signBit}) = 0, bitNot(${bits}), bitXor(${bits}, ${signBit})))`
}

function unpackedHigh(column: string): string {
  return restored(`toUInt64(bitShiftRight(${column}, 64))`)
}

function unpackedLow(column: string): string {
  return restored(`toUInt64(${column})`)
}
